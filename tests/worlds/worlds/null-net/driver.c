/*
 * A network driver whose card is a host domain's: frames to transmit go through a ring, several
 * at a time, and so do the buffers that frames are received into. What the card made up is
 * checked byte by byte, and all of it by Ethernet's checksum.
 */
#include "channel.h"

#define FRAME_MIN 60
#define FRAME_MAX 1514
#define HEADER 14
#define BUFFERS 8
/* The card's address and the type of its frames. */
static const uint8_t header[HEADER] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0x6c, 0x63, 0x64, 0x88, 0xb5,
};

#define MEMORY 8
#define CHANNEL 9
#define OTHER_END 10
#define CHANNEL_OFFSET (BUFFERS * LCD_PAGE_SIZE)
/* Requests of the card: see docs/services.md. */
enum { INFO, TRANSMIT, RECEIVE, ATTACH = 9, DETACH };

uint32_t crc32_le(uint32_t crc, const uint8_t *bytes, size_t n);

static struct lcd_ring ring;
static uint64_t transmitted, transmitted_bytes, received, received_bytes;
/* Ethernet's, of all bytes received. */
static uint32_t checksum = ~0u;

static uint8_t *buffer(uint64_t n)
{
	return lcd_data_window(n % BUFFERS * LCD_PAGE_SIZE);
}

static int connect(void)
{
	struct lcd_utcb *utcb = lcd_utcb();

	TRY(lcd_page_allocate_many(MEMORY, RW | LCD_GRANT, BUFFERS));
	TRY(lcd_page_map(MEMORY, LCD_DATA_WINDOW, RW));
	TRY(lcd_channel_create(CHANNEL, 0));
	TRY(lcd_page_map(CHANNEL, LCD_DATA_WINDOW + CHANNEL_OFFSET, RW));
	TRY(lcd_cap_copy(CHANNEL, OTHER_END, RW | LCD_GRANT, 1));
	utcb->capability[0] = OTHER_END;
	utcb->capability[1] = MEMORY;
	utcb->message[0] = ATTACH;
	utcb->message[1] = 0;
	TRY(lcd_sync_call(lcd_boot_slot("card"), 0));
	CHECK(utcb->message[0] == 0);
	lcd_clear_capabilities();
	TRY(open_channel(&ring, CHANNEL));
	return 0;
}

/* A request's number is in its flags, above the bits that say what kind of message it is. */
#define TAG 4

static int request(uint64_t n, uint64_t operation, uint64_t length)
{
	struct lcd_ring_message message = {
		(uint32_t)n * TAG, { operation, n % BUFFERS * LCD_PAGE_SIZE, length }
	};

	TRY(lcd_ring_send(&ring, &message, 0));
	return 0;
}

/* The answer to request `n`: its status and its result. */
static int answer(uint64_t n, lcd_status expected, uint64_t *result)
{
	struct lcd_ring_message message;

	TRY(lcd_ring_receive(&ring, &message, 0));
	CHECK(message.flags == n * TAG && (lcd_status)message.words[0] == expected);
	*result = message.words[1];
	return 0;
}

/* `count` frames of one length, as many under way as there are buffers. */
static int transmit(uint64_t length, uint64_t count)
{
	uint64_t sent;

	for (uint64_t n = 0; n < count + BUFFERS; n++) {
		if (n >= BUFFERS) {
			TRY(answer(n - BUFFERS, LCD_OK, &sent));
			CHECK(sent == length);
			transmitted++;
			transmitted_bytes += sent;
		}
		if (n < count) {
			memset(buffer(n), (int)n, length);
			memcpy(buffer(n), header, HEADER);
			TRY(request(n, TRANSMIT, length));
		}
	}
	return 0;
}

/* Makes up what the card makes up. */
static uint64_t expected_frame(uint8_t *frame, uint64_t number)
{
	uint64_t lengths = FRAME_MAX - FRAME_MIN + 1;
	uint64_t length = FRAME_MIN + number % lengths * 89 % lengths;

	memcpy(frame, header, HEADER);
	memcpy(frame + HEADER, &number, sizeof(number));
	for (uint64_t at = HEADER + sizeof(number); at < length; at++)
		frame[at] = (uint8_t)(at - HEADER - sizeof(number) + number);
	return length;
}

static int receive(uint64_t count)
{
	static uint8_t frame[FRAME_MAX];

	for (uint64_t n = 0; n < count; n++) {
		uint64_t length, expected = expected_frame(frame, n);

		memset(buffer(n), 0xee, LCD_PAGE_SIZE);
		TRY(request(n, RECEIVE, FRAME_MAX));
		TRY(answer(n, LCD_OK, &length));
		CHECK(length == expected && memcmp(buffer(n), frame, length) == 0);
		CHECK(buffer(n)[length] == 0xee);
		checksum = crc32_le(checksum, buffer(n), length);
		received++;
		received_bytes += length;
	}
	return 0;
}

/* Too short, too long, and a buffer without room for what comes next. */
static int refuse(void)
{
	static const uint64_t bad[][2] = {
		{ TRANSMIT, HEADER - 1 }, { TRANSMIT, FRAME_MAX + 1 }, { RECEIVE, FRAME_MIN - 1 },
	};
	uint64_t result;

	for (uint64_t n = 0; n < ARRAY_SIZE(bad); n++) {
		TRY(request(n, bad[n][0], bad[n][1]));
		TRY(answer(n, LCD_INVALID, &result));
	}
	return 0;
}

/* The card has counted the same. */
static int compare_counters(void)
{
	struct lcd_ring_message message = { .words = { INFO } };

	TRY(lcd_ring_send(&ring, &message, 0));
	TRY(lcd_ring_receive(&ring, &message, 0));
	CHECK(message.words[3] == transmitted && message.words[4] == transmitted_bytes);
	CHECK(message.words[5] == received && message.words[6] == received_bytes);
	pr_info("transmitted %llu frames of %llu bytes, received %llu of %llu\n",
		(unsigned long long)transmitted, (unsigned long long)transmitted_bytes,
		(unsigned long long)received, (unsigned long long)received_bytes);
	pr_info("checksum %#x\n", ~checksum);
	return 0;
}

static int __init start(void)
{
	static const uint64_t lengths[] = { FRAME_MIN, 61, 128, 576, 1000, 1513, FRAME_MAX };
	uint64_t result;

	TRY(connect());
	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++)
		TRY(transmit(lengths[i], 20 + i));
	TRY(refuse());
	TRY(receive(100));
	TRY(compare_counters());
	TRY(request(0, DETACH, 0));
	TRY(answer(0, LCD_OK, &result));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");
