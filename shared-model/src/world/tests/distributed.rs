//! Who holds what: the slots, badges and parents that a file leaves open.

use alloc::format;
use alloc::vec::Vec;

use super::SMALL;
use crate::capability::cptr;
use crate::world::World;

#[test]
fn a_slot_that_is_left_out_is_the_lowest_free_one() {
    let source = format!(
        "{SMALL}pages = [{{ rights = \"r\" }}, {{ slot = 6, rights = \"r\" }}]\ncaps = [{}{}{}]",
        "{ object = \"main\", rights = \"r\" },",
        "{ slot = 4, object = \"main\", rights = \"r\", name = \"a\" },",
        "{ object = \"main\", rights = \"r\", name = \"b\" },",
    );
    let world = World::parse(&source).unwrap();
    let distribution = world.distribution().unwrap();
    let own: Vec<u64> = distribution.own.iter().map(|own| own.slot).collect();
    let given: Vec<u64> = distribution.given.iter().map(|given| given.slot).collect();
    assert_eq!((own, given), (alloc::vec![3, 6], alloc::vec![5, 4, 7]));
}

#[test]
fn slots_go_on_in_the_next_level() {
    let page = "{ rights = \"r\" },";
    let world = World::parse(&format!("{SMALL}pages = [{}]", page.repeat(40))).unwrap();
    let own = world.distribution().unwrap().own;
    let slots: Vec<u64> = own.iter().map(|own| own.slot).collect();
    let expected: Vec<u64> = (3..43).filter_map(cptr::nth).collect();
    assert_eq!(slots, expected);
    assert_eq!(slots[29..31], [0x10_0000, 0x10_0001]);
}

/// Domains `a`, `b` and `c`, each with a capability to the endpoint `e`.
fn chain(a: &str, b: &str, c: &str) -> World {
    let domain = |name: &str, keys: &str| {
        format!(
            "[[domain]]\nname = \"{name}\"\nmodule = \"m\"\n\
             caps = [{{ object = \"e\", rights = \"rg\"{keys} }}]\n"
        )
    };
    let source = format!(
        "name = \"w\"\nendpoint = [{{ name = \"e\" }}]\n{}{}{}",
        domain("a", a),
        domain("b", b),
        domain("c", c)
    );
    World::parse(&source).unwrap()
}

#[test]
fn a_capability_comes_after_the_one_it_is_derived_from() {
    let world = chain(", under = \"b\"", ", under = \"c\"", "");
    let given = world.distribution().unwrap().given;
    let order: Vec<_> = given.iter().map(|given| (given.domain, given.parent)).collect();
    assert_eq!(order, [(2, None), (1, Some(0)), (0, Some(1))]);
}

#[test]
fn a_badge_is_inherited() {
    let world = chain("", ", under = \"a\", badge = 9", ", under = \"b\"");
    let given = world.distribution().unwrap().given;
    let badges: Vec<_> = given.iter().map(|given| given.badge).collect();
    assert_eq!(badges, [0, 9, 9]);
}

#[test]
fn the_first_of_several_capabilities_is_the_parent() {
    let world = chain("", ", under = \"a\"", "");
    let mut more = world.clone();
    let mut second = more.domains[0].caps[0].clone();
    (second.badge, second.name) = (5, Some("second".into()));
    more.domains[0].caps.push(second);
    let given = more.distribution().unwrap().given;
    let of_b = given.iter().find(|given| given.domain == 1).unwrap();
    assert_eq!((of_b.parent, of_b.badge), (Some(0), 0));
}

#[test]
fn very_many_capabilities_are_worked_out_soon() {
    let mut world = chain("", "", "");
    world.domains.truncate(1);
    let first = world.domains[0].caps[0].clone();
    // A domain's own first capability is the parent of all others.
    for _ in 0..20_000 {
        let mut next = first.clone();
        (next.under, next.name) = (Some("a".into()), Some("".into()));
        world.domains[0].caps.push(next);
    }
    assert_eq!(world.distribution().unwrap().given.len(), 20_001);
}
