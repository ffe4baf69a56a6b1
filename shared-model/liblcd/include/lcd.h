/*
 * What a domain and the microkernel agree on, for C: the same numbers as
 * shared-model's `abi` and `layout` (a test compares the two), and a stub for each
 * hypercall. It needs no other header and no library, so it serves kernel modules and
 * freestanding executables alike.
 *
 * A hypercall: arguments go into the message registers of the thread's UTCB, the
 * number into %eax, and `out` to LCD_HYPERCALL_PORT does it. The UTCB's status word then
 * says how it went, and message registers 1, 2, ... hold the results. A call that carries
 * a message has all message registers for it; its endpoint and its limit of time are in
 * words of their own. No processor register changes.
 *
 * The registers are the thread's, not the program's: whatever makes a hypercall
 * overwrites them, and that may be any function of liblcd.
 */
#ifndef LCD_H
#define LCD_H

/* The value written is the number of the hypercall. */
#define LCD_HYPERCALL_PORT 0xe0
/* Written by the code that a function of the domain returns to. */
#define LCD_RETURN_PORT 0xe4
/* Plus the vector: written by the exceptions' gates. */
#define LCD_EXCEPTION_PORT 0xc0
#define LCD_EXCEPTION_VECTORS 32

/*
 * Hypercalls, each with its arguments: the first is in message register 0, and so on. Of
 * those with `endpoint, timeout`, the two are in the UTCB's words of that name.
 */
#define LCD_CALL_CAP_DELETE 0             /* slot */
#define LCD_CALL_CAP_REVOKE 1             /* slot */
#define LCD_CALL_CAP_GRANT 2              /* domain, from, to, rights, badge */
#define LCD_CALL_CONSOLE_PUT 3            /* character */
#define LCD_CALL_DOMAIN_CREATE 4          /* slot */
#define LCD_CALL_DOMAIN_CONFIGURE 5       /* domain, name, pc, sp */
#define LCD_CALL_MEMORY_GRANT_AND_MAP 6   /* domain, from, to, address, rights */
#define LCD_CALL_DOMAIN_RUN 7             /* domain */
#define LCD_CALL_EXIT 8                   /* value */
#define LCD_CALL_SYNC_SEND 9              /* endpoint, timeout */
#define LCD_CALL_SYNC_RECEIVE 10          /* endpoint, timeout */
#define LCD_CALL_SYNC_POLL_RECEIVE 11     /* endpoint */
#define LCD_CALL_SYNC_CALL 12             /* endpoint, timeout */
#define LCD_CALL_SYNC_REPLY 13
#define LCD_CALL_ENDPOINT_CREATE 14       /* slot */
#define LCD_CALL_PAGE_ALLOCATE_NODE 15    /* slot, rights, order, node */
#define LCD_CALL_PAGE_ALLOCATE 16         /* slot, rights, order */
#define LCD_CALL_PAGE_ALLOCATE_MANY 17    /* slot, rights, pages */
#define LCD_CALL_PAGE_MAP 18              /* slot, address, rights */
#define LCD_CALL_PAGE_UNMAP 19            /* slot */
#define LCD_CALL_DUMP_STACK 20
#define LCD_CALL_INTERRUPT_ENABLE 21      /* interrupt */
#define LCD_CALL_INTERRUPT_DISABLE 22     /* interrupt */
#define LCD_CALL_DEVICE_ASSIGN 23         /* domain, ports */
#define LCD_CALL_DEVICE_RELEASE 24        /* ports */
#define LCD_CALL_DEVICE_MAP 25            /* domain, slot, address, rights */
#define LCD_CALL_DEVICE_UNMAP 26          /* slot */
#define LCD_CALL_CONSOLE_WRITE 32         /* length */
#define LCD_CALL_YIELD 33
#define LCD_CALL_CAP_COPY 34              /* from, to, rights, badge */
#define LCD_CALL_CAP_MOVE 35              /* from, to, rights */
#define LCD_CALL_CAP_INSPECT 36           /* slot */
#define LCD_CALL_CAP_LOOKUP 37            /* address */
#define LCD_CALL_CAP_REVOKE_UNTIL 38      /* slot, domain */
#define LCD_CALL_CAP_DERIVE 39            /* slot, under */
#define LCD_CALL_ENDPOINT_CANCEL 40       /* endpoint, badge */
#define LCD_CALL_SYNC_POLL_SEND 41        /* endpoint */
#define LCD_CALL_SYNC_REPLY_RECEIVE 42    /* endpoint, timeout */
#define LCD_CALL_NOTIFICATION_CREATE 43   /* slot */
#define LCD_CALL_NOTIFICATION_SIGNAL 44   /* slot */
#define LCD_CALL_NOTIFICATION_WAIT 45     /* slot, timeout */
#define LCD_CALL_NOTIFICATION_POLL 46     /* slot */
#define LCD_CALL_NOTIFICATION_BIND 47     /* slot */
#define LCD_CALL_CHANNEL_CREATE 48        /* slot, order */
#define LCD_CALL_THREAD_CREATE 49         /* domain, pc, sp, argument */
#define LCD_CALL_THREAD_SUSPEND 50        /* domain, thread */
#define LCD_CALL_THREAD_RESUME 51         /* domain, thread */
#define LCD_CALL_THREAD_SET_REGISTERS 52  /* domain, thread */
#define LCD_CALL_THREAD_GET_REGISTERS 53  /* domain, thread */
#define LCD_CALL_THREAD_KILL 54           /* domain, thread */
#define LCD_CALL_QUOTA_SET 55             /* domain, resource, limit */
#define LCD_CALL_QUOTA_GET 56             /* domain, resource */
#define LCD_CALL_MEMORY_STATISTICS 57     /* node */
#define LCD_CALL_HOST_DOMAIN_CREATE 58    /* slot, length */
#define LCD_CALL_DOMAIN_INSPECT 59        /* domain */
#define LCD_CALL_FAULT_BIND 60            /* domain, endpoint */
#define LCD_CALL_PORT_READ 61             /* ports, port, width */
#define LCD_CALL_PORT_WRITE 62            /* ports, port, width, value */
#define LCD_CALL_INTERRUPT_BIND 63        /* interrupt, notification */
#define LCD_CALL_INTERRUPT_ACKNOWLEDGE 64 /* interrupt */
#define LCD_CALL_TIME 65
#define LCD_CALL_SLEEP 66                 /* ticks */
#define LCD_CALL_BOOT_NAME 67             /* domain, slot, length */

/* Statuses: Linux's errors, negated. */
#define LCD_OK 0
#define LCD_NOT_PERMITTED (-1)   /* the capability lacks a right */
#define LCD_NOT_FOUND (-2)       /* an empty slot, an absent mapping, an unknown name */
#define LCD_WOULD_BLOCK (-11)    /* it could be done only by waiting */
#define LCD_NO_MEMORY (-12)      /* memory, or a quota, is exhausted */
#define LCD_BUSY (-16)           /* in use: what derives from it must go first */
#define LCD_EXISTS (-17)         /* the destination is taken */
#define LCD_INVALID (-22)        /* an argument is out of range or of the wrong kind */
#define LCD_PEER_DIED (-32)      /* nobody is left who could answer */
#define LCD_NO_SYSTEM_CALL (-38) /* no such hypercall */
#define LCD_BAD_STATE (-77)      /* the object's state does not allow this */
#define LCD_TIMED_OUT (-110)     /* the time is up */
#define LCD_CANCELLED (-125)     /* the capability waited through was taken away */

/* Rights of a capability or a mapping. */
#define LCD_READ 1
#define LCD_WRITE 2
#define LCD_EXECUTE 4
#define LCD_GRANT 8
#define LCD_CALL_RIGHT 16

/* Kinds of object, as lcd_cap_inspect() tells them. */
#define LCD_KIND_PAGE 1
#define LCD_KIND_LENT 2 /* a block lent in by the host */
#define LCD_KIND_DOMAIN 3
#define LCD_KIND_HOST_DOMAIN 4
#define LCD_KIND_ENDPOINT 5
#define LCD_KIND_NOTIFICATION 6
#define LCD_KIND_CHANNEL 7
#define LCD_KIND_PORTS 8
#define LCD_KIND_INTERRUPT 9
#define LCD_KIND_REPLY 10 /* an answer that somebody waits for */

/* What a receive ended with, in the UTCB's word `received`. */
#define LCD_RECEIVED_MESSAGE 0      /* its sender expects nothing */
#define LCD_RECEIVED_CALL 1         /* its sender waits for the reply */
#define LCD_RECEIVED_NOTIFICATION 2 /* no message: the badge holds the bits */
#define LCD_RECEIVED_FAULT 3        /* a thread waits to be told how to go on */

/* What a fault message is about, in its first register. */
#define LCD_FAULT_PAGE 1      /* a page for which there is no capability with that right */
#define LCD_FAULT_EXCEPTION 2

/* What a quota counts. */
#define LCD_RESOURCE_PAGES 0
#define LCD_RESOURCE_CAPABILITIES 1
#define LCD_RESOURCE_DOMAINS 2
#define LCD_RESOURCE_THREADS 3
#define LCD_RESOURCE_OBJECTS 4 /* endpoints, notifications and channels */

/* The UTCB (user thread control block), one page. */
#define LCD_UTCB_REGISTERS 8
#define LCD_UTCB_MESSAGE 0
#define LCD_UTCB_CAPABILITY 64
#define LCD_UTCB_STATUS 128
#define LCD_UTCB_ENDPOINT 136
#define LCD_UTCB_TIMEOUT 144
#define LCD_UTCB_BADGE 152
#define LCD_UTCB_ARRIVED 160
#define LCD_UTCB_FAILED 168
#define LCD_UTCB_RECEIVED 176
#define LCD_UTCB_BUFFER 256
#define LCD_UTCB_BUFFER_SIZE 3840

/* Bytes of a module's name. */
#define LCD_NAME_MAX 255

/* Offsets in the area that %gs points to. */
#define LCD_AREA_UTCB 0x00
#define LCD_AREA_DATA_WINDOW 0x08
#define LCD_AREA_CODE_WINDOW 0x10
#define LCD_AREA_THREAD 0x18
#define LCD_AREA_BOOT_INFO 0x20
#define LCD_AREA_STACK_CANARY 0x28
#define LCD_AREA_SELF 0x30
#define LCD_AREA_FREE 0x40
/* The word at LCD_AREA_STACK_CANARY. */
#define LCD_AREA_CANARY_VALUE 0x6c63645f77616c00

/* The boot information: a page that says what the domain was given, and in which slots. */
#define LCD_BOOT_FORMAT 0
#define LCD_BOOT_COUNT 8
#define LCD_BOOT_ENTRIES 64
#define LCD_BOOT_ENTRY_SIZE 32
#define LCD_BOOT_ENTRY_SLOT 24
#define LCD_BOOT_NAME_MAX 23
#define LCD_BOOT_ENTRIES_MAX 126
#define LCD_BOOT_VERSION 1

/*
 * The devices: ports, the registers behind them, interrupts. What each register does, and
 * how wide it is, is in shared-model's `abi`.
 */
#define LCD_IO_SPACE_SIZE 0x80000000
#define LCD_TIMER_FIRST 0x40
#define LCD_TIMER_LAST 0x47
#define LCD_TIMER_INTERRUPT 0
#define LCD_TIMER_COUNT 0x40
#define LCD_TIMER_MODE 0x44
#define LCD_TIMER_EXPIRED 0x46
#define LCD_TIMER_PERIODIC 1
#define LCD_SERIAL_FIRST 0x3f8
#define LCD_SERIAL_LAST 0x40f
#define LCD_SERIAL_INTERRUPT 4
#define LCD_SERIAL_DATA 0x3f8
#define LCD_SERIAL_ENABLE 0x3f9
#define LCD_SERIAL_CAUSE 0x3fa
#define LCD_SERIAL_LINE_CONTROL 0x3fb
#define LCD_SERIAL_MODEM_CONTROL 0x3fc
#define LCD_SERIAL_LINE_STATUS 0x3fd
#define LCD_SERIAL_MODEM_STATUS 0x3fe
#define LCD_SERIAL_SCRATCH 0x3ff
#define LCD_SERIAL_DMA_ADDRESS 0x400
#define LCD_SERIAL_DMA_ADDRESS_HIGH 0x404
#define LCD_SERIAL_DMA_LENGTH 0x408
#define LCD_SERIAL_DMA_COMMAND 0x40c
#define LCD_SERIAL_ON_INPUT 1
#define LCD_SERIAL_ON_EMPTY 2
#define LCD_SERIAL_CAUSE_NONE 1
#define LCD_SERIAL_CAUSE_EMPTY 2
#define LCD_SERIAL_CAUSE_INPUT 4
#define LCD_SERIAL_DIVISOR 0x80
#define LCD_SERIAL_READY 1
#define LCD_SERIAL_EMPTY 0x20
#define LCD_SERIAL_IDLE 0x40
#define LCD_SERIAL_DMA_SEND 1
#define LCD_SERIAL_DMA_RECEIVE 2
#define LCD_SERIAL_DMA_DONE 1
#define LCD_SERIAL_DMA_REFUSED 2
#define LCD_SERIAL_DMA_INVALID 4
#define LCD_SERIAL_DMA_MAX 0x10000

#define LCD_PAGE_SIZE 4096

/*
 * Slots: how a program names its capabilities. They are in a tree of tables, each with 32
 * slots and room for 32 tables below. A number has the slot in bits 0 to 4, the way to its
 * table in bits 5 to 19, and in bits 20 and 21 how many tables are above that one. So the
 * slots of level 0 are 0 to 31, those of level 1 are (1 << 20) + 0 to 1023, and so on.
 */
#define LCD_SLOT_BITS 5
#define LCD_SLOT_PATH_BITS 15
#define LCD_SLOT_LEVEL_SHIFT 20
#define LCD_SLOT_LEVELS 4
#define LCD_SLOT_NUMBERS 0x400000
/* How many slots a level has. */
#define LCD_SLOT_CAPACITY_0 32
#define LCD_SLOT_CAPACITY_1 1024
#define LCD_SLOT_CAPACITY_2 32768
#define LCD_SLOT_CAPACITY_3 1048576
/* Names no slot. */
#define LCD_SLOT_NULL 0
/* The thread's own: the endpoint on which it is answered, and whom it can answer. */
#define LCD_SLOT_CALL 1
#define LCD_SLOT_REPLY 2
/* The first that a program can use. */
#define LCD_SLOT_FIRST 3

/*
 * The windows: the guest-physical ranges in which a page capability can be mapped.
 * The data window allows read and write, the code window read and execute. Where they
 * appear in guest-virtual space is the system's choice: lcd_data_window() and
 * lcd_code_window() tell.
 */
#define LCD_DATA_WINDOW 0x40000000
#define LCD_DATA_WINDOW_SIZE 0x20000000
#define LCD_CODE_WINDOW 0x60000000
#define LCD_CODE_WINDOW_SIZE 0x10000000

/*
 * The first half of the data window, and the slots of levels 0 to 2, are the program's
 * own. The rest belongs to liblcd's kmalloc: see c/pages.c.
 */
#define LCD_HEAP_OFFSET 0x10000000
#define LCD_HEAP_SLOT 0x300000

#ifndef __ASSEMBLER__

typedef __UINT8_TYPE__ lcd_u8;
typedef __UINT32_TYPE__ lcd_u32;
typedef __UINT64_TYPE__ lcd_u64;
typedef __INT64_TYPE__ lcd_status;

struct lcd_utcb {
	lcd_u64 message[LCD_UTCB_REGISTERS];
	/* Slots whose capabilities go along with a message, or in which some can arrive. */
	lcd_u64 capability[LCD_UTCB_REGISTERS];
	lcd_status status;
	lcd_u64 endpoint;
	lcd_u64 timeout;
	/* What a receive tells about the message beside its words. */
	lcd_u64 badge;
	lcd_u64 arrived;
	lcd_u64 failed;
	lcd_u64 received;
	lcd_u8 reserved[LCD_UTCB_BUFFER - LCD_UTCB_RECEIVED - 8];
	lcd_u8 buffer[LCD_UTCB_BUFFER_SIZE];
};

#define LCD_AT(member, offset)                                                             \
	_Static_assert(__builtin_offsetof(struct lcd_utcb, member) == (offset), #member)
LCD_AT(message, LCD_UTCB_MESSAGE);
LCD_AT(capability, LCD_UTCB_CAPABILITY);
LCD_AT(status, LCD_UTCB_STATUS);
LCD_AT(endpoint, LCD_UTCB_ENDPOINT);
LCD_AT(timeout, LCD_UTCB_TIMEOUT);
LCD_AT(badge, LCD_UTCB_BADGE);
LCD_AT(arrived, LCD_UTCB_ARRIVED);
LCD_AT(failed, LCD_UTCB_FAILED);
LCD_AT(received, LCD_UTCB_RECEIVED);
LCD_AT(buffer, LCD_UTCB_BUFFER);
#undef LCD_AT
_Static_assert(sizeof(struct lcd_utcb) == LCD_PAGE_SIZE, "a UTCB is a page");

/* An entry of the boot information: a name, filled up with zero bytes, and its slot. */
struct lcd_boot_entry {
	char name[LCD_BOOT_NAME_MAX + 1];
	lcd_u64 slot;
};

_Static_assert(__builtin_offsetof(struct lcd_boot_entry, slot) == LCD_BOOT_ENTRY_SLOT, "slot");
_Static_assert(sizeof(struct lcd_boot_entry) == LCD_BOOT_ENTRY_SIZE, "entry");

/* What lcd_cap_inspect() tells of a capability. */
struct lcd_capability {
	lcd_u64 kind;
	lcd_u64 rights;
	lcd_u64 badge;
	/* In pages, or in ports. */
	lcd_u64 size;
	/* Where it is mapped, or 0. */
	lcd_u64 address;
};

/* What lcd_domain_inspect() tells of a domain. */
struct lcd_domain {
	lcd_u64 state;
	/* Threads that have not ended. */
	lcd_u64 threads;
	/* Whether the first thread exited, and with what. */
	lcd_u64 exited;
	lcd_u64 value;
};

/* What lcd_memory_statistics() tells, in pages. */
struct lcd_memory {
	lcd_u64 mapped;
	lcd_u64 charged;
	lcd_u64 in_use;
	lcd_u64 in_use_on_node;
};

/* The registers of a suspended thread; the general ones are in the processor's order. */
struct lcd_registers {
	lcd_u64 general[16];
	lcd_u64 rip;
	lcd_u64 rflags;
};

/* The 8-byte word of the thread's area at a constant offset. */
#define lcd_area_word(offset)                                                              \
	({                                                                                 \
		lcd_u64 lcd_area_word_;                                                    \
		__asm__("movq %%gs:%c1, %0" : "=r"(lcd_area_word_) : "i"(offset));         \
		lcd_area_word_;                                                            \
	})

static inline struct lcd_utcb *lcd_utcb(void)
{
	return (struct lcd_utcb *)lcd_area_word(LCD_AREA_UTCB);
}

/* The number of this thread within its domain. */
static inline lcd_u64 lcd_thread(void)
{
	return lcd_area_word(LCD_AREA_THREAD);
}

/* Where a byte of the data window appears to this domain's instructions. */
static inline void *lcd_data_window(lcd_u64 offset)
{
	return (void *)(lcd_area_word(LCD_AREA_DATA_WINDOW) + offset);
}

/* The same for the code window. */
static inline void *lcd_code_window(lcd_u64 offset)
{
	return (void *)(lcd_area_word(LCD_AREA_CODE_WINDOW) + offset);
}

/* The entry of the boot information with this number, or null after the last. */
static inline const struct lcd_boot_entry *lcd_boot_entry(lcd_u64 number)
{
	const char *info = (const char *)lcd_area_word(LCD_AREA_BOOT_INFO);

	if (!info || *(const lcd_u64 *)(info + LCD_BOOT_FORMAT) != LCD_BOOT_VERSION ||
	    number >= LCD_BOOT_ENTRIES_MAX || number >= *(const lcd_u64 *)(info + LCD_BOOT_COUNT))
		return (const struct lcd_boot_entry *)0;
	return (const struct lcd_boot_entry *)(info + LCD_BOOT_ENTRIES) + number;
}

/* The slot of the capability that the creator gave this name, or 0. */
static inline lcd_u64 lcd_boot_slot(const char *name)
{
	const struct lcd_boot_entry *entry;

	for (lcd_u64 number = 0; (entry = lcd_boot_entry(number)); number++) {
		lcd_u64 i = 0;

		while (i < LCD_BOOT_NAME_MAX && name[i] == entry->name[i] && name[i] != '\0')
			i++;
		if (name[i] == entry->name[i])
			return entry->slot;
	}
	return LCD_SLOT_NULL;
}

/* The number of a level's slot `n`. */
static inline lcd_u64 lcd_slot_of_level(lcd_u64 level, lcd_u64 n)
{
	return level << LCD_SLOT_LEVEL_SHIFT | n;
}

/* Does the hypercall; the arguments are in the UTCB already. */
static inline lcd_status lcd_hypercall(lcd_u32 number)
{
	__asm__ volatile("outl %%eax, %1" : : "a"(number), "i"(LCD_HYPERCALL_PORT) : "memory");
	return lcd_utcb()->status;
}

static inline lcd_status lcd_hypercall1(lcd_u32 number, lcd_u64 m0)
{
	lcd_utcb()->message[0] = m0;
	return lcd_hypercall(number);
}

static inline lcd_status lcd_hypercall2(lcd_u32 number, lcd_u64 m0, lcd_u64 m1)
{
	lcd_utcb()->message[1] = m1;
	return lcd_hypercall1(number, m0);
}

static inline lcd_status lcd_hypercall3(lcd_u32 number, lcd_u64 m0, lcd_u64 m1, lcd_u64 m2)
{
	lcd_utcb()->message[2] = m2;
	return lcd_hypercall2(number, m0, m1);
}

static inline lcd_status lcd_hypercall4(lcd_u32 number, lcd_u64 m0, lcd_u64 m1, lcd_u64 m2,
					lcd_u64 m3)
{
	lcd_utcb()->message[3] = m3;
	return lcd_hypercall3(number, m0, m1, m2);
}

static inline lcd_status lcd_hypercall5(lcd_u32 number, lcd_u64 m0, lcd_u64 m1, lcd_u64 m2,
					lcd_u64 m3, lcd_u64 m4)
{
	lcd_utcb()->message[4] = m4;
	return lcd_hypercall4(number, m0, m1, m2, m3);
}

/* A hypercall that carries a message: its words are in the message registers already. */
static inline lcd_status lcd_hypercall_ipc(lcd_u32 number, lcd_u64 endpoint, lcd_u64 timeout)
{
	lcd_utcb()->endpoint = endpoint;
	lcd_utcb()->timeout = timeout;
	return lcd_hypercall(number);
}

/* The result in a message register; stored only if the call succeeded. */
static inline lcd_status lcd_result(lcd_status status, lcd_u32 number, lcd_u64 *result)
{
	if (status == LCD_OK)
		*result = lcd_utcb()->message[number];
	return status;
}

/*
 * Copies bytes. A string instruction, because compilers turn a loop into a call of
 * memcpy, which a freestanding executable may not have.
 */
static inline void lcd_copy(void *to, const void *from, lcd_u64 length)
{
	__asm__ volatile("cld\n\trep movsb"
			 : "+D"(to), "+S"(from), "+c"(length)
			 :
			 : "memory", "cc");
}

/* Puts bytes into the UTCB's buffer. */
static inline void lcd_fill_buffer(const char *bytes, lcd_u64 length)
{
	lcd_copy(lcd_utcb()->buffer, bytes, length);
}

/* Puts a name into the buffer, as much as fits; returns its length. */
static inline lcd_u64 lcd_fill_name(const char *name)
{
	lcd_u64 length = 0;

	while (name[length] != '\0' && length < LCD_UTCB_BUFFER_SIZE) {
		length++;
		/* Keeps compilers from making this a call of strlen. */
		__asm__ volatile("" : "+r"(length));
	}
	lcd_fill_buffer(name, length);
	return length;
}

/* No capability goes along with the next message, and none can arrive. */
static inline void lcd_clear_capabilities(void)
{
	for (int i = 0; i < LCD_UTCB_REGISTERS; i++)
		*(volatile lcd_u64 *)&lcd_utcb()->capability[i] = LCD_SLOT_NULL;
}

/*
 * A stub for each hypercall: what the calls mean is in shared-model's `abi`. A result is
 * stored through the last argument, and only if the call succeeds.
 */

/* Capabilities. */

/* Its children move up to its parent. */
static inline lcd_status lcd_cap_delete(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_CAP_DELETE, slot);
}

/* Removes every capability derived from this one, and their mappings. */
static inline lcd_status lcd_cap_revoke(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_CAP_REVOKE, slot);
}

/* The same, but what the domain holds stays, with all that derives from it. */
static inline lcd_status lcd_cap_revoke_until(lcd_u64 slot, lcd_u64 domain)
{
	return lcd_hypercall2(LCD_CALL_CAP_REVOKE_UNTIL, slot, domain);
}

/* Copies a capability, with at most these rights, into another domain. Badge 0 keeps its own. */
static inline lcd_status lcd_cap_grant(lcd_u64 domain, lcd_u64 from, lcd_u64 to, lcd_u64 rights,
				       lcd_u64 badge)
{
	return lcd_hypercall5(LCD_CALL_CAP_GRANT, domain, from, to, rights, badge);
}

/* The same within the caller's own slots. */
static inline lcd_status lcd_cap_copy(lcd_u64 from, lcd_u64 to, lcd_u64 rights, lcd_u64 badge)
{
	return lcd_hypercall4(LCD_CALL_CAP_COPY, from, to, rights, badge);
}

static inline lcd_status lcd_cap_move(lcd_u64 from, lcd_u64 to, lcd_u64 rights)
{
	return lcd_hypercall3(LCD_CALL_CAP_MOVE, from, to, rights);
}

/* Makes an original capability a child of another to the same object. */
static inline lcd_status lcd_cap_derive(lcd_u64 slot, lcd_u64 under)
{
	return lcd_hypercall2(LCD_CALL_CAP_DERIVE, slot, under);
}

static inline lcd_status lcd_cap_inspect(lcd_u64 slot, struct lcd_capability *result)
{
	lcd_status status = lcd_hypercall1(LCD_CALL_CAP_INSPECT, slot);

	lcd_result(status, 1, &result->kind);
	lcd_result(status, 2, &result->rights);
	lcd_result(status, 3, &result->badge);
	lcd_result(status, 4, &result->size);
	return lcd_result(status, 5, &result->address);
}

/* The slot under which a guest-physical address is mapped, and the offset in its block. */
static inline lcd_status lcd_cap_lookup(lcd_u64 address, lcd_u64 *slot, lcd_u64 *offset)
{
	lcd_status status = lcd_hypercall1(LCD_CALL_CAP_LOOKUP, address);

	lcd_result(status, 1, slot);
	return lcd_result(status, 2, offset);
}

/* The console. */

static inline lcd_status lcd_console_put(lcd_u64 character)
{
	return lcd_hypercall1(LCD_CALL_CONSOLE_PUT, character);
}

/* Appends text of any length. */
static inline lcd_status lcd_console_write(const char *text, lcd_u64 length)
{
	lcd_status status = LCD_OK;

	while (length > 0 && status == LCD_OK) {
		lcd_u64 part = length < LCD_UTCB_BUFFER_SIZE ? length : LCD_UTCB_BUFFER_SIZE;

		lcd_fill_buffer(text, part);
		status = lcd_hypercall1(LCD_CALL_CONSOLE_WRITE, part);
		text += part;
		length -= part;
	}
	return status;
}

/* Writes the caller's registers and the top of its stack to the log. */
static inline lcd_status lcd_dump_stack(void)
{
	return lcd_hypercall(LCD_CALL_DUMP_STACK);
}

/* Memory. */

/* A block of `1 << order` zeroed pages; its capability goes to the slot. */
static inline lcd_status lcd_page_allocate(lcd_u64 slot, lcd_u64 rights, lcd_u64 order)
{
	return lcd_hypercall3(LCD_CALL_PAGE_ALLOCATE, slot, rights, order);
}

/* One page. */
static inline lcd_status lcd_page_allocate_one(lcd_u64 slot, lcd_u64 rights)
{
	return lcd_page_allocate(slot, rights, 0);
}

static inline lcd_status lcd_page_allocate_node(lcd_u64 slot, lcd_u64 rights, lcd_u64 order,
						lcd_u64 node)
{
	return lcd_hypercall4(LCD_CALL_PAGE_ALLOCATE_NODE, slot, rights, order, node);
}

static inline lcd_status lcd_page_allocate_many(lcd_u64 slot, lcd_u64 rights, lcd_u64 pages)
{
	return lcd_hypercall3(LCD_CALL_PAGE_ALLOCATE_MANY, slot, rights, pages);
}

/* Maps all pages of a block at a guest-physical address in a window. */
static inline lcd_status lcd_page_map(lcd_u64 slot, lcd_u64 address, lcd_u64 rights)
{
	return lcd_hypercall3(LCD_CALL_PAGE_MAP, slot, address, rights);
}

static inline lcd_status lcd_page_unmap(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_PAGE_UNMAP, slot);
}

static inline lcd_status lcd_memory_statistics(lcd_u64 node, struct lcd_memory *result)
{
	lcd_status status = lcd_hypercall1(LCD_CALL_MEMORY_STATISTICS, node);

	lcd_result(status, 1, &result->mapped);
	lcd_result(status, 2, &result->charged);
	lcd_result(status, 3, &result->in_use);
	return lcd_result(status, 4, &result->in_use_on_node);
}

/* Domains. */

/* An empty domain; its capability goes to the slot. */
static inline lcd_status lcd_domain_create(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_DOMAIN_CREATE, slot);
}

/*
 * Loads the named module into the domain; a null pointer is no module. `pc` and `sp`
 * replace where its thread starts and its stack pointer, 0 keeps what the module says.
 */
static inline lcd_status lcd_domain_configure(lcd_u64 domain, const char *name, lcd_u64 pc,
					      lcd_u64 sp)
{
	return lcd_hypercall4(LCD_CALL_DOMAIN_CONFIGURE, domain, name ? lcd_fill_name(name) : 0,
			      pc, sp);
}

/* A module as it is. */
static inline lcd_status lcd_domain_load(lcd_u64 domain, const char *name)
{
	return lcd_domain_configure(domain, name, 0, 0);
}

/* Copies a page capability into a domain that does not run yet and maps it there. */
static inline lcd_status lcd_memory_grant_and_map(lcd_u64 domain, lcd_u64 from, lcd_u64 to,
						  lcd_u64 address, lcd_u64 rights)
{
	return lcd_hypercall5(LCD_CALL_MEMORY_GRANT_AND_MAP, domain, from, to, address, rights);
}

/* Tells a domain that does not run yet the name of one of its slots. */
static inline lcd_status lcd_boot_name(lcd_u64 domain, lcd_u64 slot, const char *name)
{
	return lcd_hypercall3(LCD_CALL_BOOT_NAME, domain, slot, lcd_fill_name(name));
}

/* Starts the domain's initial thread. */
static inline lcd_status lcd_domain_run(lcd_u64 domain)
{
	return lcd_hypercall1(LCD_CALL_DOMAIN_RUN, domain);
}

static inline lcd_status lcd_domain_inspect(lcd_u64 domain, struct lcd_domain *result)
{
	lcd_status status = lcd_hypercall1(LCD_CALL_DOMAIN_INSPECT, domain);

	lcd_result(status, 1, &result->state);
	lcd_result(status, 2, &result->threads);
	lcd_result(status, 3, &result->exited);
	return lcd_result(status, 4, &result->value);
}

/* A host domain that runs the named service. Only host domains can. */
static inline lcd_status lcd_host_domain_create(lcd_u64 slot, const char *name)
{
	return lcd_hypercall2(LCD_CALL_HOST_DOMAIN_CREATE, slot, lcd_fill_name(name));
}

/* Has faults of the domain's threads sent to an endpoint; endpoint 0 undoes it. */
static inline lcd_status lcd_fault_bind(lcd_u64 domain, lcd_u64 endpoint)
{
	return lcd_hypercall2(LCD_CALL_FAULT_BIND, domain, endpoint);
}

/* Limits what a domain, and all that it creates, can take of an LCD_RESOURCE_. */
static inline lcd_status lcd_quota_set(lcd_u64 domain, lcd_u64 resource, lcd_u64 limit)
{
	return lcd_hypercall3(LCD_CALL_QUOTA_SET, domain, resource, limit);
}

static inline lcd_status lcd_quota_get(lcd_u64 domain, lcd_u64 resource, lcd_u64 *limit,
				       lcd_u64 *used)
{
	lcd_status status = lcd_hypercall2(LCD_CALL_QUOTA_GET, domain, resource);

	lcd_result(status, 1, limit);
	return lcd_result(status, 2, used);
}

/* Threads. */

/* Ends the calling thread. */
__attribute__((noreturn)) static inline void lcd_exit(lcd_u64 value)
{
	for (;;)
		lcd_hypercall1(LCD_CALL_EXIT, value);
}

/* Lets the other ready threads run first. */
static inline lcd_status lcd_yield(void)
{
	return lcd_hypercall(LCD_CALL_YIELD);
}

/*
 * A suspended thread that calls `pc` with the argument. Domain 0 is the caller's own; `sp`
 * 0 is the top of a stack of its own. Its number in the domain goes to `thread`.
 */
static inline lcd_status lcd_thread_create(lcd_u64 domain, lcd_u64 pc, lcd_u64 sp,
					   lcd_u64 argument, lcd_u64 *thread)
{
	return lcd_result(lcd_hypercall4(LCD_CALL_THREAD_CREATE, domain, pc, sp, argument), 1,
			  thread);
}

/* A wait that it is in goes on. */
static inline lcd_status lcd_thread_suspend(lcd_u64 domain, lcd_u64 thread)
{
	return lcd_hypercall2(LCD_CALL_THREAD_SUSPEND, domain, thread);
}

static inline lcd_status lcd_thread_resume(lcd_u64 domain, lcd_u64 thread)
{
	return lcd_hypercall2(LCD_CALL_THREAD_RESUME, domain, thread);
}

static inline lcd_status lcd_thread_set_registers(lcd_u64 domain, lcd_u64 thread,
						  const struct lcd_registers *registers)
{
	lcd_copy(lcd_utcb()->buffer, registers, sizeof(*registers));
	return lcd_hypercall2(LCD_CALL_THREAD_SET_REGISTERS, domain, thread);
}

static inline lcd_status lcd_thread_get_registers(lcd_u64 domain, lcd_u64 thread,
						  struct lcd_registers *result)
{
	lcd_status status = lcd_hypercall2(LCD_CALL_THREAD_GET_REGISTERS, domain, thread);

	if (status == LCD_OK)
		lcd_copy(result, lcd_utcb()->buffer, sizeof(*result));
	return status;
}

static inline lcd_status lcd_thread_kill(lcd_u64 domain, lcd_u64 thread)
{
	return lcd_hypercall2(LCD_CALL_THREAD_KILL, domain, thread);
}

/* Messages. Their words are in the message registers, before a send and after a receive. */

static inline lcd_status lcd_endpoint_create(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_ENDPOINT_CREATE, slot);
}

/* Ends every waiting send of this badge. */
static inline lcd_status lcd_endpoint_cancel(lcd_u64 endpoint, lcd_u64 badge)
{
	return lcd_hypercall2(LCD_CALL_ENDPOINT_CANCEL, endpoint, badge);
}

/* Waits until somebody has received the message. Timeouts are in ticks; 0 is none. */
static inline lcd_status lcd_sync_send(lcd_u64 endpoint, lcd_u64 timeout)
{
	return lcd_hypercall_ipc(LCD_CALL_SYNC_SEND, endpoint, timeout);
}

static inline lcd_status lcd_sync_receive(lcd_u64 endpoint, lcd_u64 timeout)
{
	return lcd_hypercall_ipc(LCD_CALL_SYNC_RECEIVE, endpoint, timeout);
}

/* Sends and waits for the reply. */
static inline lcd_status lcd_sync_call(lcd_u64 endpoint, lcd_u64 timeout)
{
	return lcd_hypercall_ipc(LCD_CALL_SYNC_CALL, endpoint, timeout);
}

/* Answers whom slot LCD_SLOT_REPLY holds. */
static inline lcd_status lcd_sync_reply(void)
{
	return lcd_hypercall(LCD_CALL_SYNC_REPLY);
}

static inline lcd_status lcd_sync_reply_receive(lcd_u64 endpoint, lcd_u64 timeout)
{
	return lcd_hypercall_ipc(LCD_CALL_SYNC_REPLY_RECEIVE, endpoint, timeout);
}

/* These two never wait. */
static inline lcd_status lcd_sync_poll_send(lcd_u64 endpoint)
{
	return lcd_hypercall_ipc(LCD_CALL_SYNC_POLL_SEND, endpoint, 0);
}

static inline lcd_status lcd_sync_poll_receive(lcd_u64 endpoint)
{
	return lcd_hypercall_ipc(LCD_CALL_SYNC_POLL_RECEIVE, endpoint, 0);
}

/* Notifications and channels. */

static inline lcd_status lcd_notification_create(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_NOTIFICATION_CREATE, slot);
}

/* With a channel: rings the other side's doorbell. */
static inline lcd_status lcd_notification_signal(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_NOTIFICATION_SIGNAL, slot);
}

/* Takes the bits, and waits until there are any. With a channel: this side's doorbell. */
static inline lcd_status lcd_notification_wait(lcd_u64 slot, lcd_u64 timeout, lcd_u64 *bits)
{
	return lcd_result(lcd_hypercall2(LCD_CALL_NOTIFICATION_WAIT, slot, timeout), 1, bits);
}

static inline lcd_status lcd_notification_poll(lcd_u64 slot, lcd_u64 *bits)
{
	return lcd_result(lcd_hypercall1(LCD_CALL_NOTIFICATION_POLL, slot), 1, bits);
}

/* Has a signal also end this thread's lcd_sync_receive(); slot 0 undoes it. */
static inline lcd_status lcd_notification_bind(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_NOTIFICATION_BIND, slot);
}

/* `1 << order` pages with a doorbell at each end. A copy with badge 1 is the other end's. */
static inline lcd_status lcd_channel_create(lcd_u64 slot, lcd_u64 order)
{
	return lcd_hypercall2(LCD_CALL_CHANNEL_CREATE, slot, order);
}

/* Devices. */

static inline lcd_status lcd_port_read(lcd_u64 ports, lcd_u64 port, lcd_u64 width, lcd_u64 *value)
{
	return lcd_result(lcd_hypercall3(LCD_CALL_PORT_READ, ports, port, width), 1, value);
}

static inline lcd_status lcd_port_write(lcd_u64 ports, lcd_u64 port, lcd_u64 width, lcd_u64 value)
{
	return lcd_hypercall4(LCD_CALL_PORT_WRITE, ports, port, width, value);
}

/* Has an interrupt signal a notification; slot 0 undoes it. */
static inline lcd_status lcd_interrupt_bind(lcd_u64 interrupt, lcd_u64 notification)
{
	return lcd_hypercall2(LCD_CALL_INTERRUPT_BIND, interrupt, notification);
}

static inline lcd_status lcd_interrupt_enable(lcd_u64 interrupt)
{
	return lcd_hypercall1(LCD_CALL_INTERRUPT_ENABLE, interrupt);
}

static inline lcd_status lcd_interrupt_disable(lcd_u64 interrupt)
{
	return lcd_hypercall1(LCD_CALL_INTERRUPT_DISABLE, interrupt);
}

/* It was dealt with: the next one can come. */
static inline lcd_status lcd_interrupt_acknowledge(lcd_u64 interrupt)
{
	return lcd_hypercall1(LCD_CALL_INTERRUPT_ACKNOWLEDGE, interrupt);
}

/* Lets the device with these ports use the domain's device mappings. */
static inline lcd_status lcd_device_assign(lcd_u64 domain, lcd_u64 ports)
{
	return lcd_hypercall2(LCD_CALL_DEVICE_ASSIGN, domain, ports);
}

static inline lcd_status lcd_device_release(lcd_u64 ports)
{
	return lcd_hypercall1(LCD_CALL_DEVICE_RELEASE, ports);
}

/* Maps a block for a domain's devices at an address of theirs. */
static inline lcd_status lcd_device_map(lcd_u64 domain, lcd_u64 slot, lcd_u64 address,
					lcd_u64 rights)
{
	return lcd_hypercall4(LCD_CALL_DEVICE_MAP, domain, slot, address, rights);
}

static inline lcd_status lcd_device_unmap(lcd_u64 slot)
{
	return lcd_hypercall1(LCD_CALL_DEVICE_UNMAP, slot);
}

/* Time. */

/* Ticks since the beginning of the run. */
static inline lcd_status lcd_time(lcd_u64 *ticks)
{
	return lcd_result(lcd_hypercall(LCD_CALL_TIME), 1, ticks);
}

static inline lcd_status lcd_sleep(lcd_u64 ticks)
{
	return lcd_hypercall1(LCD_CALL_SLEEP, ticks);
}

#endif /* __ASSEMBLER__ */
#endif /* LCD_H */
