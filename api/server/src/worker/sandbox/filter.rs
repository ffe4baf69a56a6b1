//! The system calls of a worker: which are answered, which are refused, and which are its end.
//!
//! Three filters are stacked, and of their answers the kernel takes the strictest.
//!
//! 1. What nobody does by accident ([`FATAL`]) kills the process: starting programs, sockets,
//!    looking into other processes, reaching into the kernel.
//! 2. `clone3` does not exist. Its flags are in memory, where a filter cannot look; the C library
//!    then uses `clone`, whose flags are an argument.
//! 3. What a worker needs is allowed ([`allowed`]); everything else is EPERM. Libraries that only
//!    try something, such as reading `/proc`, can go on without.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};

/// A call, and the rules of which one must hold; without rules, the call as such.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs all filters, for all threads.
pub(super) fn install() -> Result<(), seccompiler::Error> {
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let fatal = compile(fatal()?, SeccompAction::Allow, SeccompAction::KillProcess)?;
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let absent = compile(absent, SeccompAction::Allow, errno(libc::ENOSYS))?;
    let allowed = compile(allowed()?, errno(libc::EPERM), SeccompAction::Allow)?;
    // The last is the one that would refuse to install another.
    [fatal, absent, allowed].iter().try_for_each(|filter| apply_filter_all_threads(filter))
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    then: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, otherwise, then, TargetArch::x86_64)?.try_into()
}

/// Calls that a worker needs, with any arguments.
const ALLOWED: &[i64] = &[
    // Memory of the allocator, of stacks, and of domains. Never executable: see `allowed`.
    libc::SYS_brk,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // The file that domains' memory is in: it has no name, and goes with the process.
    libc::SYS_fallocate,
    libc::SYS_ftruncate,
    libc::SYS_memfd_create,
    // Descriptors of what is open: memory files, virtual machines and processors.
    libc::SYS_close,
    // Threads: their start, their locks, their end.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    // Refused by the filter before this one, with another answer.
    libc::SYS_clone3,
    // Signals within the process: a thread is kicked out of its guest, wasmtime handles traps.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Who one is, what time it is, and random numbers for hash tables.
    libc::SYS_clock_gettime,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    // Sleeping.
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
];

/// Requests to KVM, as linux/kvm.h numbers them.
const KVM_REQUESTS: &[u64] = &[
    // Of KVM itself: what it can do, and a virtual machine for a domain.
    0xae00, // KVM_GET_API_VERSION
    0xae01, // KVM_CREATE_VM
    0xae03, // KVM_CHECK_EXTENSION
    0xae04, // KVM_GET_VCPU_MMAP_SIZE
    // Of a virtual machine: its memory, and a processor for a thread.
    0x4020_ae46, // KVM_SET_USER_MEMORY_REGION
    0xae41,      // KVM_CREATE_VCPU
    0x4068_aea3, // KVM_ENABLE_CAP
    // Of a processor: its state at the beginning, and running it.
    0xae80,      // KVM_RUN
    0x8138_ae83, // KVM_GET_SREGS
    0x4138_ae84, // KVM_SET_SREGS
    0x4008_ae89, // KVM_SET_MSRS
    0x4008_ae90, // KVM_SET_CPUID2
    0x4040_aea0, // KVM_SET_VCPU_EVENTS
    0x4080_aea2, // KVM_SET_DEBUGREGS
    0x5000_aea5, // KVM_SET_XSAVE
];

/// What is allowed.
fn allowed() -> Result<Rules, BackendError> {
    let mut rules: Rules = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    // The job comes on standard input; answers and messages go to the other two.
    let descriptor = |number| rule(&[is(0, number)]);
    rules.insert(libc::SYS_read, vec![descriptor(0)?]);
    rules.insert(libc::SYS_write, vec![descriptor(1)?, descriptor(2)?]);
    // The simulator's code was mapped before. What is not executable now never will be.
    let data_only = || rule(&[has(2, bits(libc::PROT_EXEC), 0)]);
    rules.insert(libc::SYS_mmap, vec![data_only()?]);
    rules.insert(libc::SYS_mprotect, vec![data_only()?]);
    // Memory that the allocator gives back, and stacks of threads that ended.
    rules.insert(libc::SYS_madvise, vec![rule(&[is(2, bits(libc::MADV_DONTNEED))])?]);
    rules.insert(libc::SYS_clone, vec![rule(&[thread()])?]);
    // Only to itself.
    rules.insert(libc::SYS_tgkill, vec![rule(&[own_process()])?]);
    // The names of threads.
    rules.insert(libc::SYS_prctl, vec![rule(&[is(0, bits(libc::PR_SET_NAME))])?]);
    // The job's own limits, which are known only now.
    let own_limit = |resource: u32| rule(&[is(0, 0), is(1, resource.into())]);
    let limits = [libc::RLIMIT_CPU, libc::RLIMIT_DATA, libc::RLIMIT_FSIZE].map(own_limit);
    rules.insert(libc::SYS_prlimit64, limits.into_iter().collect::<Result<_, _>>()?);
    // Another descriptor of what is open.
    let command = |number: i32| rule(&[is(1, bits(number))]);
    let commands = [libc::F_GETFD, libc::F_DUPFD_CLOEXEC].map(command);
    rules.insert(libc::SYS_fcntl, commands.into_iter().collect::<Result<_, _>>()?);
    let requests = KVM_REQUESTS.iter().map(|&request| rule(&[is(1, request)]));
    rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Calls that are the end of a worker, with any arguments.
const FATAL: &[i64] = &[
    // Other programs and processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_setns,
    libc::SYS_unshare,
    // Others' memory, descriptors and lives.
    libc::SYS_kcmp,
    libc::SYS_kill,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_tkill,
    // Networks, and sockets of any kind.
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socket,
    libc::SYS_socketpair,
    // File systems as a whole, and files by other means than a path.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_quotactl,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    // Parts of the kernel with a history.
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_perf_event_open,
    libc::SYS_request_key,
    libc::SYS_userfaultfd,
    // The machine.
    libc::SYS_acct,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // Other users' rights.
    libc::SYS_capset,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_setuid,
];

/// What kills.
fn fatal() -> Result<Rules, BackendError> {
    let mut rules: Rules = FATAL.iter().map(|&call| (call, Vec::new())).collect();
    // A new process, by whatever name.
    rules.insert(libc::SYS_clone, vec![rule(&[has(0, bits(libc::CLONE_THREAD), 0)])?]);
    rules.insert(libc::SYS_tgkill, vec![rule(&[other_process()])?]);
    Ok(rules)
}

/// The flags of a thread, with or without those that only say where its number goes.
fn thread() -> Condition {
    let shared = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    let details = libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID
        | libc::CLONE_DETACHED;
    has(0, !bits(details), bits(shared))
}

fn own_process() -> Condition {
    is(0, std::process::id().into())
}

fn other_process() -> Condition {
    Condition { operator: SeccompCmpOp::Ne, ..own_process() }
}

/// A condition on one argument.
struct Condition {
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
}

const fn is(argument: u8, value: u64) -> Condition {
    Condition { argument, operator: SeccompCmpOp::Eq, value }
}

const fn has(argument: u8, mask: u64, value: u64) -> Condition {
    Condition { argument, operator: SeccompCmpOp::MaskedEq(mask), value }
}

fn rule(conditions: &[Condition]) -> Result<SeccompRule, BackendError> {
    let conditions = conditions.iter().map(|Condition { argument, operator, value }| {
        // All that is asked for is in the lower 32 bits, and the kernel looks at no others there.
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), *value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

/// Flags as a filter sees them.
fn bits(flags: i32) -> u64 {
    u64::from(flags.cast_unsigned())
}
