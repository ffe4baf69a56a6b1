//! In which order to run a world again so that it comes to a log.

use alloc::vec;
use alloc::vec::Vec;

use super::Order;
use crate::microkernel::Schedule;
use crate::world::World;

/// What may take the simulator the way of a run, the most likely first. `schedule` and `order` are
/// what its log says, and `simulated` is whether it was the simulator's.
///
/// Taking turns as the run did comes to the same by itself, unless a thread was stopped at a moment
/// of the host's choosing. Following it exit by exit has those moments from the log, but between
/// exits it lets everybody come along, also those who looked at memory in another order.
pub fn ways(world: &World, schedule: &Schedule, order: Order, simulated: bool) -> Vec<Schedule> {
    match schedule {
        own @ (Schedule::Cooperative | Schedule::Seeded { preempt: None, .. }) => {
            match depends_on_the_host(world, &order, simulated) {
                true => vec![Schedule::Recorded(order), own.clone()],
                false => vec![own.clone()],
            }
        }
        own @ (Schedule::Seeded { .. } | Schedule::Recorded(_)) => vec![own.clone()],
        Schedule::Parallel => vec![Schedule::Recorded(order)],
    }
}

/// Whether the host's clock had a say in it. The simulator kills after a number of instructions, so
/// there only a limit of time did.
fn depends_on_the_host(world: &World, order: &Order, simulated: bool) -> bool {
    let kills = world.domains.iter().any(|domain| domain.kill_after.is_some());
    order.timed_out || !simulated && (kills || !order.kills.is_empty())
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::ways;
    use crate::domain::ThreadId;
    use crate::microkernel::{Order, Schedule};
    use crate::world::World;

    #[test]
    fn turns_are_followed_where_they_decide_and_exits_where_the_host_did() {
        let world =
            World::parse("name = \"w\"\n[[domain]]\nname = \"a\"\nmodule = \"a.ko\"").unwrap();
        let plain = || Order::from(vec![ThreadId(0)]);
        let killed = || Order { kills: vec![(1, ThreadId(0))], ..plain() };
        let late = || Order { timed_out: true, ..plain() };
        let own = Schedule::Cooperative;
        let alone = vec![own.clone()];
        let cooperative = |order, simulated| ways(&world, &own, order, simulated);
        for simulated in [true, false] {
            assert_eq!(cooperative(plain(), simulated), alone);
            let both = [Schedule::Recorded(late()), own.clone()];
            assert_eq!(cooperative(late(), simulated), both);
            let parallel = ways(&world, &Schedule::Parallel, plain(), simulated);
            assert_eq!(parallel, [Schedule::Recorded(plain())]);
            let drawn = Schedule::Seeded { seed: 1, preempt: Some(9) };
            assert_eq!(ways(&world, &drawn, killed(), simulated), [drawn]);
        }
        assert_eq!(cooperative(killed(), true), alone, "the simulator would do it again");
        assert_eq!(cooperative(killed(), false), [Schedule::Recorded(killed()), own.clone()]);
    }
}
