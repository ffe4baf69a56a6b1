/* The driver's domain: a disk in memory, which serves a ring until nobody is left there. */
#include "channel.h"
#include "disk.h"

#define MEMORY_SIZE (16 * LCD_PAGE_SIZE)

static uint8_t sectors[SECTORS * SECTOR];

/* The request comes from somebody else: it is a copy, and nothing in it is believed. */
static lcd_status serve(uint8_t *memory, const uint64_t *words)
{
	uint64_t operation = words[0], sector = words[1], count = words[2], offset = words[3];

	if (sector > SECTORS || count > SECTORS - sector || operation > WRITE)
		return LCD_INVALID;
	if (offset > MEMORY_SIZE || count * SECTOR > MEMORY_SIZE - offset)
		return LCD_INVALID;
	if (operation == READ)
		memcpy(memory + offset, sectors + sector * SECTOR, count * SECTOR);
	else
		memcpy(sectors + sector * SECTOR, memory + offset, count * SECTOR);
	return LCD_OK;
}

static int __init start(void)
{
	uint8_t *memory = memory_of(lcd_boot_slot("data"));
	struct lcd_ring ring;
	struct lcd_ring_message message;
	lcd_status status;
	int served = 0;

	TRY(open_channel(&ring, lcd_boot_slot("requests")));
	while ((status = lcd_ring_receive(&ring, &message, 0)) == LCD_OK) {
		message.words[0] = (uint64_t)serve(memory, message.words);
		TRY(lcd_ring_send(&ring, &message, 0));
		served++;
	}
	CHECK(status == LCD_PEER_DIED);
	pr_info("served %d requests\n", served);
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");
