// TEMPORARY STUB
#include <stdlib.h>
#include "exits.h"
#include "file.h"
#include "insn.h"
#include "array.h"
int exits_text_init(struct exits_text *t, struct instr_file *file, struct instr_err *err)
{ *t=(struct exits_text){.file=file,.bytes=file_text(file),.vaddr=file->text->p_vaddr,.len=file->text_len}; return func_table_get(file,&t->funcs,err);}
void exits_text_exit(struct exits_text *t){(void)t;}
enum exits_reason exits_find(struct exits_text *t, size_t func, struct exits *ret)
{
	const struct instr_func *f=&t->funcs->func[func];
	*ret=(struct exits){.nr_parts=1};
	ret->part=calloc(1,sizeof(*ret->part));
	struct exits_part *p=ret->part; p->func=func;p->start=f->vaddr;p->size=f->size;p->code=t->bytes+(f->vaddr-t->vaddr);p->mark=calloc(f->size+16,1);
	for(uint64_t at=0;at<f->size;){ struct insn i; if(!insn_decode(p->code+at,t->len-(f->vaddr-t->vaddr)-at,&i)) return EXITS_UNDECODABLE;
	 p->mark[at]|=EXITS_BOUNDARY;
	 struct exit e={f->vaddr+at,i.len,0,0};
	 if(i.kind==INSN_RET){ (void)ARRAY_PUSH(ret->exit,ret->nr,e);} 
	 else if((i.kind==INSN_JMP||i.kind==INSN_JCC)){ uint64_t tg=at+i.target; if(tg==0||tg>=f->size){ e.kind=i.kind==INSN_JMP?EXIT_JUMP:EXIT_BRANCH;(void)ARRAY_PUSH(ret->exit,ret->nr,e);} else p->mark[tg]|=EXITS_TARGET; }
	 else if(i.kind==INSN_JMP_INDIRECT) return EXITS_INDIRECT;
	 at+=i.len; }
	return 0;
}
void exits_exit(struct exits *e){ for(size_t i=0;i<e->nr_parts;i++) free(e->part[i].mark); free(e->part); free(e->exit);}
const char *exits_reason_text(enum exits_reason r){ (void)r; return "stub"; }
