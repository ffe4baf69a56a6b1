//! Who may have how much. Every domain has an account, under that of its creator: what a domain
//! takes is counted there and at everybody above, and each of them can limit it. So nobody gets
//! more by creating others.
//!
//! | resource | is counted at | from, to |
//! |---|---|---|
//! | pages | who allocated the block, or is built from it | its allocation, its end |
//! | capabilities | whose space they are in | coming into a slot, leaving it |
//! | domains | who created them | creation, the end of being taken apart |
//! | threads | their domain | creation, their end |
//! | objects | who created them | creation, their end |
//!
//! A block or an object can outlive its domain, if somebody else holds it, and so can the domains
//! that it created. The account is then closed and stays, with its limits, until nothing is counted
//! there; what the dead domain's creator allowed it, its heirs cannot exceed.

use alloc::collections::BTreeMap;

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use crate::abi::{Resource, Status};
use crate::arch::Arch;
use crate::domain::{DOMAINS_MAX, DomainId};
use crate::rights::Rights;

const RESOURCES: usize = Resource::ALL.len();

/// What a domain may have and has.
#[derive(Clone, Debug)]
struct Account {
    parent: Option<DomainId>,
    /// How many accounts are above.
    depth: usize,
    limits: [u64; RESOURCES],
    /// Its own and that of every account below.
    used: [u64; RESOURCES],
    /// Its domain is gone; it goes when nothing is counted here any more.
    closed: bool,
}

/// All accounts.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts(BTreeMap<DomainId, Account>);

impl Accounts {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Opens an account for a new domain.
    pub(super) fn open(&mut self, domain: DomainId, parent: Option<DomainId>) {
        let depth =
            parent.and_then(|parent| self.0.get(&parent)).map_or(0, |above| above.depth + 1);
        let (limits, used) = ([u64::MAX; RESOURCES], [0; RESOURCES]);
        self.0.insert(domain, Account { parent, depth, limits, used, closed: false });
    }

    /// Whether another account can be under this one. Accounts of the dead can make a chain longer
    /// than there are domains, and each charge goes all the way up.
    pub(super) fn can_have_below(&self, domain: DomainId) -> bool {
        self.0.get(&domain).is_some_and(|account| account.depth + 1 < DOMAINS_MAX)
    }

    /// The domain is gone; its account goes when nothing is counted there any more. Returns its
    /// creator's.
    pub(super) fn close(&mut self, domain: DomainId) -> Option<DomainId> {
        let account = self.0.get_mut(&domain)?;
        account.closed = true;
        let parent = account.parent;
        self.forget_if_empty(domain);
        parent
    }

    pub(super) fn set_limit(&mut self, domain: DomainId, resource: Resource, limit: u64) {
        if let Some(account) = self.0.get_mut(&domain) {
            account.limits[resource as usize] = limit;
        }
    }

    /// The limit and what is used of it.
    pub(super) fn of(&self, domain: DomainId, resource: Resource) -> Option<(u64, u64)> {
        let index = resource as usize;
        self.0.get(&domain).map(|account| (account.limits[index], account.used[index]))
    }

    /// A domain's account and all above it.
    fn up(&self, domain: DomainId) -> impl Iterator<Item = (DomainId, &Account)> {
        let find = |domain| self.0.get(&domain).map(|account| (domain, account));
        core::iter::successors(find(domain), move |(_, account)| find(account.parent?))
    }

    /// Changes what is counted at a domain's account and all above it.
    fn change(&mut self, domain: DomainId, resource: Resource, change: impl Fn(u64) -> u64) {
        let mut at = Some(domain);
        while let Some(domain) = at {
            let Some(account) = self.0.get_mut(&domain) else { break };
            let used = &mut account.used[resource as usize];
            *used = change(*used);
            at = account.parent;
            self.forget_if_empty(domain);
        }
    }

    fn forget_if_empty(&mut self, domain: DomainId) {
        let over = |account: &Account| account.closed && account.used == [0; RESOURCES];
        if self.0.get(&domain).is_some_and(over) {
            self.0.remove(&domain);
        }
    }
}

impl<A: Arch> Microkernel<A> {
    /// Counts what a domain takes, or refuses it.
    pub(super) fn charge(
        &mut self,
        domain: DomainId,
        resource: Resource,
        amount: u64,
    ) -> Result<(), Status> {
        let index = resource as usize;
        let fits = |(_, account): (_, &Account)| {
            account.limits[index].saturating_sub(account.used[index]) >= amount
        };
        if !self.accounts.up(domain).all(fits) {
            return Err(Status::NoMemory);
        }
        self.accounts.change(domain, resource, |used| used + amount);
        Ok(())
    }

    /// Takes back what [`Microkernel::charge`] counted.
    pub(super) fn refund(&mut self, domain: DomainId, resource: Resource, amount: u64) {
        self.accounts.change(domain, resource, |used| used - amount);
    }

    /// Limits what a domain, and all that it creates, can take. Less than is used already means that
    /// nothing more can be taken until enough is given back.
    pub(super) fn set_quota(&mut self, domain: DomainId, resource: Resource, limit: u64) {
        self.accounts.set_limit(domain, resource, limit);
    }

    pub(super) fn quota_set(&mut self, request: &Request) -> Answer {
        let [slot, resource, limit, ..] = request.arguments;
        let resource = Resource::from_number(resource).ok_or(Status::Invalid)?;
        if slot == 0 {
            return Err(Status::Invalid);
        }
        let domain = self.capabilities.domain(self.slot_argument(request, 0)?, Rights::WRITE)?;
        // Nor under another name, nor where its own limits come from.
        if self.accounts.up(request.domain).any(|(above, _)| above == domain) {
            return Err(Status::Invalid);
        }
        self.set_quota(domain, resource, limit);
        Ok(Outcome::Done)
    }

    pub(super) fn quota_get(&mut self, request: &mut Request) -> Answer {
        let resource = Resource::from_number(request.arguments[1]).ok_or(Status::Invalid)?;
        let domain = self.domain_argument(request, 0, Rights::READ)?;
        let (limit, used) = self.accounts.of(domain, resource).ok_or(Status::NotFound)?;
        request.results = alloc::vec![limit, used];
        Ok(Outcome::Done)
    }

    /// Recounts everything and compares.
    ///
    /// # Panics
    /// If an account says something else.
    #[cfg(test)]
    pub(super) fn check_accounts(&self) {
        let accounts = &self.accounts.0;
        for (&id, account) in accounts {
            let parent = account.parent.map(|parent| &accounts[&parent]);
            assert_eq!(account.depth, parent.map_or(0, |parent| parent.depth + 1));
            assert_eq!(account.closed, !self.domains.contains_key(&id), "{id:?}");
            assert!(!account.closed || account.used != [0; RESOURCES], "{id:?} is to be forgotten");
            for resource in Resource::ALL {
                let index = resource as usize;
                let below = accounts.values().filter(|account| account.parent == Some(id));
                let below: u64 = below.map(|account| account.used[index]).sum();
                let own = self.count_own(id, resource);
                assert_eq!(account.used[index], own + below, "{resource:?} of {id:?}");
            }
        }
        assert!(self.domains.keys().all(|id| accounts.contains_key(id)));
    }

    #[cfg(test)]
    fn count_own(&self, id: DomainId, resource: Resource) -> u64 {
        use crate::capability::SpaceId;
        let created = |domain: &&DomainId| self.accounts.0[domain].parent == Some(id);
        let count = match resource {
            Resource::Pages => {
                let own = self.blocks.values().filter(|block| block.account == Some(id));
                own.map(|block| block.frames.len()).sum()
            }
            Resource::Capabilities => self.capabilities.count(SpaceId::Domain(id)) as usize,
            Resource::Domains => self.domains.keys().filter(created).count(),
            Resource::Threads => {
                self.live.iter().filter(|&&thread| self.thread(thread).domain == id).count()
            }
            Resource::Objects => self.object_owners.values().filter(|&&owner| owner == id).count(),
        };
        count as u64
    }

    /// How many accounts there are.
    #[cfg(test)]
    pub(super) fn account_count(&self) -> usize {
        self.accounts.0.len()
    }
}
