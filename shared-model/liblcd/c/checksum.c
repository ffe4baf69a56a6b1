/* Checksums that are part of the kernel itself, bit by bit. */
#include "kernel.h"

static uint32_t crc_reflected(uint32_t crc, const uint8_t *bytes, size_t n, uint32_t polynomial)
{
	while (n-- > 0) {
		crc ^= *bytes++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
	}
	return crc;
}

uint32_t crc32_le(uint32_t crc, const uint8_t *bytes, size_t n)
{
	return crc_reflected(crc, bytes, n, 0xedb88320);
}

uint32_t __crc32c_le(uint32_t crc, const uint8_t *bytes, size_t n)
{
	return crc_reflected(crc, bytes, n, 0x82f63b78);
}

uint32_t crc32_be(uint32_t crc, const uint8_t *bytes, size_t n)
{
	while (n-- > 0) {
		crc ^= (uint32_t)*bytes++ << 24;
		for (int bit = 0; bit < 8; bit++)
			crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7 : 0);
	}
	return crc;
}
