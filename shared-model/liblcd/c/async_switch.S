/*
 * void async_switch(void **from, void *to): leaves one stack for another. What a function
 * has to preserve is kept on the stack that is left; floating-point control words are not,
 * because nobody here changes them.
 */
	.text
	.globl	async_switch
	.hidden	async_switch
	.type	async_switch, @function
async_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	async_switch, . - async_switch
