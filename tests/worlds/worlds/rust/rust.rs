//! A freestanding Rust program: formatting, slices, sorting, iterators, checked and 128-bit
//! arithmetic, and a panic that is caught by nobody because it does not happen.
#![no_std]
#![no_main]

use core::arch::asm;
use core::fmt::{self, Write};

/// Hypercall numbers, from `lcd.h`.
const EXIT: u32 = 8;
const CONSOLE_WRITE: u32 = 32;
/// Where the status is in the UTCB, in words; where the byte buffer is, and how long.
const STATUS: usize = 16;
const BUFFER: usize = 256;
const BUFFER_SIZE: usize = 3840;

/// The console of this domain.
struct Console;

/// Does a hypercall with one argument; returns its status.
fn hypercall(number: u32, argument: u64) -> i64 {
    let utcb = utcb().cast::<u64>();
    // SAFETY: the UTCB is a page of this thread's own, and a hypercall changes no register.
    unsafe {
        utcb.write_volatile(argument);
        asm!("out 0xe0, eax", in("eax") number, options(nostack, preserves_flags));
        utcb.add(STATUS).read_volatile().cast_signed()
    }
}

/// The thread's UTCB.
fn utcb() -> *mut u8 {
    let address;
    // SAFETY: the first word of the area that gs points to holds the address.
    unsafe { asm!("mov {}, gs:[0]", out(reg) address, options(nostack, readonly, pure)) };
    address
}

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().chunks(BUFFER_SIZE) {
            // SAFETY: a part fits into the buffer, which nothing else refers to.
            unsafe { utcb().add(BUFFER).copy_from_nonoverlapping(part.as_ptr(), part.len()) };
            if hypercall(CONSOLE_WRITE, part.len() as u64) != 0 {
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

fn exit(value: u64) -> ! {
    loop {
        hypercall(EXIT, value);
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "{info}");
    exit(101)
}

/// A shape, to be drawn through a table of functions.
trait Shape {
    fn name(&self) -> &'static str;
    fn area(&self) -> u32;
}

struct Square(u32);
struct Rectangle(u32, u32);

impl Shape for Square {
    fn name(&self) -> &'static str {
        "square"
    }
    fn area(&self) -> u32 {
        self.0.pow(2)
    }
}

impl Shape for Rectangle {
    fn name(&self) -> &'static str {
        "rectangle"
    }
    fn area(&self) -> u32 {
        self.0 * self.1
    }
}

fn collatz(start: u64) -> impl Iterator<Item = u64> {
    core::iter::successors(Some(start), |&n| match n {
        1 => None,
        n if n % 2 == 0 => Some(n / 2),
        n => Some(3 * n + 1),
    })
}

fn run(console: &mut Console) -> fmt::Result {
    let mut words = ["pear", "apple", "fig", "banana", "cherry"];
    words.sort_unstable();
    writeln!(console, "sorted: {words:?}")?;

    let mut numbers: [u32; 300] = core::array::from_fn(|i| (i as u32 * 7919) % 10007);
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let digest = numbers.iter().fold(17_u64, |d, &n| d.wrapping_mul(31).wrapping_add(n.into()));
    writeln!(console, "descending: {} ... {}, digest {digest:#018x}", numbers[0], numbers[299])?;

    let shapes: [&dyn Shape; 2] = [&Square(12), &Rectangle(6, 7)];
    for shape in shapes {
        writeln!(console, "{:>10}: {:5}", shape.name(), shape.area())?;
    }

    let (longest, steps) = (1..1000)
        .map(|n| (n, collatz(n).count()))
        .max_by_key(|&(_, steps)| steps)
        .ok_or(fmt::Error)?;
    writeln!(console, "collatz: {longest} takes {steps} steps")?;

    let product: u128 = (1..=30_u128).product();
    writeln!(console, "30! = {product}, / 10^15 = {}", product / 1_000_000_000_000_000)?;
    writeln!(console, "checked: {:?} {:?}", 250_u8.checked_add(5), 250_u8.checked_add(6))?;

    let text = "Größe: ½ €";
    writeln!(console, "{} bytes, {} characters, {}", text.len(), text.chars().count(), text)?;
    writeln!(console, "parsed: {:?} {:?}", "4096".parse::<u16>(), "70000".parse::<u16>().is_err())
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    exit(u64::from(run(&mut Console).is_err()))
}
