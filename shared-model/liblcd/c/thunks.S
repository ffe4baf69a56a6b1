/*
 * The functions that compilers and the kernel's build call by name from generated code.
 * They follow no calling convention: each changes only what its caller expects.
 */
	.text

/* Called first in every function of a module built with -mfentry: tracing, which is off. */
	.globl	__fentry__
	.type	__fentry__, @function
__fentry__:
	ret
	.size	__fentry__, . - __fentry__

/* What a return becomes under -mfunction-return=thunk-extern. */
	.globl	__x86_return_thunk
	.type	__x86_return_thunk, @function
__x86_return_thunk:
	ret
	.size	__x86_return_thunk, . - __x86_return_thunk

/*
 * Indirect jumps of -mindirect-branch=thunk-extern, one for each register. A domain has
 * nothing to hide from itself, so they are plain jumps. In the array of the same name,
 * thunks are 32 bytes apart in the order of the registers' encoding.
 */
	.globl	__x86_indirect_thunk_array
	.balign	32
__x86_indirect_thunk_array:
	.irp	register, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, \
			r14, r15
	.balign	32
	.globl	__x86_indirect_thunk_\register
	.type	__x86_indirect_thunk_\register, @function
__x86_indirect_thunk_\register:
	jmp	*%\register
	.size	__x86_indirect_thunk_\register, . - __x86_indirect_thunk_\register
	.endr

/*
 * Trampolines of static calls. Preemption points have nothing to do in a domain; those
 * that say whether they rescheduled say no.
 */
	.irp	name, might_resched, cond_resched
	.balign	8
	.globl	__SCT__\name
	.type	__SCT__\name, @function
__SCT__\name:
	xorl	%eax, %eax
	ret
	.size	__SCT__\name, . - __SCT__\name
	.endr

	/* The callers of these expect every register to survive, rax too. */
	.irp	name, __SCT__preempt_schedule, __SCT__preempt_schedule_notrace, \
			preempt_schedule, preempt_schedule_notrace, \
			preempt_schedule_thunk, preempt_schedule_notrace_thunk
	.balign	8
	.globl	\name
	.type	\name, @function
\name:
	ret
	.size	\name, . - \name
	.endr

/*
 * Population counts. The kernel patches `popcnt` over the call, so callers expect only
 * rax to change: every other register used here is restored.
 */
	.globl	__sw_hweight32
	.type	__sw_hweight32, @function
__sw_hweight32:
	pushq	%rdi
	movl	%edi, %eax
	shrl	$1, %edi
	andl	$0x55555555, %edi
	subl	%edi, %eax              /* sums of 2 bits */
	movl	%eax, %edi
	shrl	$2, %eax
	andl	$0x33333333, %edi
	andl	$0x33333333, %eax
	addl	%edi, %eax              /* of 4 */
	movl	%eax, %edi
	shrl	$4, %edi
	addl	%edi, %eax
	andl	$0x0f0f0f0f, %eax       /* of 8 */
	imull	$0x01010101, %eax, %eax
	shrl	$24, %eax
	popq	%rdi
	ret
	.size	__sw_hweight32, . - __sw_hweight32

	.globl	__sw_hweight64
	.type	__sw_hweight64, @function
__sw_hweight64:
	pushq	%rdi
	pushq	%rdx
	movq	%rdi, %rax
	shrq	$1, %rdi
	movabsq	$0x5555555555555555, %rdx
	andq	%rdx, %rdi
	subq	%rdi, %rax
	movabsq	$0x3333333333333333, %rdx
	movq	%rax, %rdi
	shrq	$2, %rax
	andq	%rdx, %rdi
	andq	%rdx, %rax
	addq	%rdi, %rax
	movq	%rax, %rdi
	shrq	$4, %rdi
	addq	%rdi, %rax
	movabsq	$0x0f0f0f0f0f0f0f0f, %rdx
	andq	%rdx, %rax
	movabsq	$0x0101010101010101, %rdx
	imulq	%rdx, %rax
	shrq	$56, %rax
	popq	%rdx
	popq	%rdi
	ret
	.size	__sw_hweight64, . - __sw_hweight64
