// SPDX-License-Identifier: GPL-2.0
//! Panics: caught, passed on, in threads that somebody waits for, and one that ends it all,
//! with its callers' names.

use std::panic;
use std::thread;

struct Counted<'a>(&'a mut u32);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.0 += 1;
    }
}

/// Whoever calls this comes back for it: no tail call.
fn keep(value: u32) -> u32 {
    unsafe { std::ptr::read_volatile(&value) }
}

#[inline(never)]
fn frame(frames: u32, dropped: &mut u32) -> u32 {
    if frames == 0 {
        panic::resume_unwind(Box::new("deep"));
    }
    let counted = Counted(dropped);
    let value = frame(frames - 1, counted.0);
    keep(value) + 1
}

fn caught(frames: u32) -> bool {
    let mut dropped = 0;
    let result = panic::catch_unwind(panic::AssertUnwindSafe(|| frame(frames, &mut dropped)));
    match result {
        Ok(_) => false,
        Err(payload) => payload.downcast_ref::<&str>() == Some(&"deep") && dropped == frames,
    }
}

fn passed_on(frames: u32) -> bool {
    let result = panic::catch_unwind(|| {
        let inner = panic::catch_unwind(|| {
            let mut dropped = 0;
            frame(frames, &mut dropped)
        });
        panic::resume_unwind(inner.unwrap_err());
    });
    result.unwrap_err().downcast_ref::<&str>() == Some(&"deep")
}

fn joined(number: u32) -> u32 {
    let result = thread::spawn(move || {
        let mut dropped = 0;
        if number % 2 == 1 {
            frame(number, &mut dropped);
        }
        number
    })
    .join();
    result.unwrap_or(1000)
}

#[inline(never)]
fn last(value: u32) -> u32 {
    let none: Option<u32> = None;
    let got = none.expect("the last");
    keep(got) + value
}

#[inline(never)]
fn last_but_one(value: u32) -> u32 {
    keep(last(value)) + 1
}

fn main() {
    for frames in [1, 16, 1000] {
        println!("{} {} {}", frames, caught(frames), passed_on(frames));
    }
    let all: Vec<_> = (0..20).map(|number| thread::spawn(move || joined(number))).collect();
    let sum: u32 = all.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("{}", sum);
    println!("{}", last_but_one(sum));
}
