mod machine;
use machine::*;
use shared_model::address::*;
use shared_model::arch::{Arch, DomainId, ThreadId};
use shared_model::rights::Rights;
use std::time::{Duration, Instant};
#[test]
fn timing() {
    let mut arch = machine::machine().unwrap();
    let mut t = [Duration::ZERO; 8];
    const N: u32 = 20;
    for i in 0..N {
        let s = Instant::now();
        arch.domain_create(DomainId(1000 + i)).unwrap();
        t[0] += s.elapsed();
        let s = Instant::now();
        arch.domain_destroy(DomainId(1000 + i));
        t[1] += s.elapsed();
        let s = Instant::now();
        let (sys, n) = machine::domain(&mut arch, DomainId(i), 0, &CALL_LOOP);
        t[2] += s.elapsed();
        let s = Instant::now();
        machine::thread(&mut arch, ThreadId(i), DomainId(i), &sys);
        t[3] += s.elapsed();
        let s = Instant::now();
        arch.run(ThreadId(i), 0);
        t[4] += s.elapsed();
        let s = Instant::now();
        arch.thread_destroy(ThreadId(i));
        t[5] += s.elapsed();
        let s = Instant::now();
        arch.domain_destroy(DomainId(i));
        t[6] += s.elapsed();
        let s = Instant::now();
        for f in 0..n {
            arch.frame_free(Frame(f));
        }
        t[7] += s.elapsed();
    }
    for (n, d) in [
        "create empty",
        "destroy empty",
        "domain",
        "thread",
        "first run",
        "thread destroy",
        "domain destroy",
        "frames free",
    ]
    .iter()
    .zip(t)
    {
        println!("{n}: {:?}", d / N);
    }
    let (_, n) = machine::domain(&mut arch, DomainId(5000), 0, &CALL_LOOP);
    let s = Instant::now();
    for f in n..n + 1000 {
        arch.frame_allocate(Frame(f)).unwrap();
    }
    println!("alloc {:?}", s.elapsed() / 1000);
    let s = Instant::now();
    for f in n..n + 1000 {
        arch.map(
            DomainId(5000),
            GuestPhysical(0x4000_0000 + (f as u64) * 4096),
            Frame(f),
            Rights::READ_WRITE,
        )
        .unwrap();
    }
    println!("map {:?}", s.elapsed() / 1000);
    let s = Instant::now();
    for f in n..n + 1000 {
        arch.unmap(DomainId(5000), GuestPhysical(0x4000_0000 + (f as u64) * 4096));
    }
    println!("unmap {:?}", s.elapsed() / 1000);
    let s = Instant::now();
    for f in n..n + 1000 {
        arch.frame_free(Frame(f));
    }
    println!("free {:?}", s.elapsed() / 1000);
}
