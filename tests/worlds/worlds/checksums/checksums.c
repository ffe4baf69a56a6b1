/*
 * Checksums of texts whose answers are known: "123456789", the catalogue of CRCs' test
 * message; "abc"; and the vector of the SipHash paper's appendix A.
 */
#include "module.h"

static uint32_t crc(const uint8_t *bytes, size_t n, uint32_t polynomial, uint32_t value)
{
	for (size_t i = 0; i < n; i++) {
		value ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? polynomial : 0);
	}
	return value;
}

static uint32_t adler32(const uint8_t *bytes, size_t n)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < n; i++) {
		a = (a + bytes[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

/* Over little-endian 16-bit words; an odd last byte is a word of its own. */
static uint32_t fletcher32(const uint8_t *bytes, size_t n)
{
	uint32_t a = 0, b = 0;

	for (size_t i = 0; i < n; i += 2) {
		a = (a + bytes[i] + (i + 1 < n ? bytes[i + 1] << 8 : 0)) % 65535;
		b = (b + a) % 65535;
	}
	return b << 16 | a;
}

static uint32_t right(uint32_t x, int by)
{
	return x >> by | x << (32 - by);
}

static const uint32_t sha_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

/* One block, for a message of less than 56 bytes (FIPS 180-4). */
static void sha256(const uint8_t *bytes, size_t n, uint32_t state[8])
{
	static const uint32_t initial[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	uint8_t block[64] = { 0 };
	uint32_t w[64], v[8];

	memcpy(block, bytes, n);
	block[n] = 0x80;
	block[62] = (uint8_t)(n * 8 >> 8);
	block[63] = (uint8_t)(n * 8);
	for (int i = 0; i < 16; i++) {
		uint32_t word;

		memcpy(&word, block + 4 * i, 4);
		w[i] = __builtin_bswap32(word);
	}
	for (int i = 16; i < 64; i++) {
		uint32_t x = w[i - 15], y = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (right(x, 7) ^ right(x, 18) ^ x >> 3) +
		       (right(y, 17) ^ right(y, 19) ^ y >> 10);
	}
	memcpy(v, initial, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t s1 = right(v[4], 6) ^ right(v[4], 11) ^ right(v[4], 25);
		uint32_t s0 = right(v[0], 2) ^ right(v[0], 13) ^ right(v[0], 22);
		uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t t1 = v[7] + s1 + choice + sha_constants[i] + w[i];
		uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] = initial[i] + v[i];
}

static uint64_t left64(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = left64(v[1], 13) ^ v[0];
	v[3] = left64(v[3], 16) ^ v[2];
	v[0] = left64(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = left64(v[1], 17) ^ v[2];
	v[3] = left64(v[3], 21) ^ v[0];
	v[2] = left64(v[2], 32);
}

/* SipHash-2-4 (Aumasson and Bernstein 2012). */
static uint64_t siphash(const uint8_t *bytes, size_t n, uint64_t k0, uint64_t k1)
{
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575,
		k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573,
	};

	for (size_t i = 0; i <= n / 8; i++) {
		uint64_t m = 0;

		memcpy(&m, bytes + 8 * i, i < n / 8 ? 8 : n % 8);
		if (i == n / 8)
			m |= (uint64_t)n << 56;
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* xxHash of less than 4 bytes, seed 0. */
static uint32_t xxh32_short(const uint8_t *bytes, size_t n)
{
	uint32_t h = 374761393u + (uint32_t)n;

	for (size_t i = 0; i < n; i++) {
		h += bytes[i] * 374761393u;
		h = (h << 11 | h >> 21) * 2654435761u;
	}
	h = (h ^ h >> 15) * 2246822519u;
	h = (h ^ h >> 13) * 3266489917u;
	return h ^ h >> 16;
}

static uint64_t xxh64_short(const uint8_t *bytes, size_t n)
{
	uint64_t h = 2870177450012600261u + n;

	for (size_t i = 0; i < n; i++)
		h = left64(h ^ bytes[i] * 2870177450012600261u, 11) * 11400714785074694791u;
	h = (h ^ h >> 33) * 14029467366897019727u;
	h = (h ^ h >> 29) * 1609587929392839161u;
	return h ^ h >> 32;
}

static int __init start(void)
{
	static const uint8_t digits[] = "123456789", abc[] = "abc";
	uint8_t counting[15];
	uint32_t state[8];

	pr_info("crc16 %04x\n", crc(digits, 9, 0xa001, 0));
	pr_info("crc32 %08x\n", ~crc(digits, 9, 0xedb88320, ~0u));
	pr_info("crc32c %08x\n", ~crc(digits, 9, 0x82f63b78, ~0u));
	pr_info("adler32 %08x\n", adler32(digits, 9));
	pr_info("fletcher32 %08x\n", fletcher32(digits, 9));
	sha256(abc, 3, state);
	pr_info("sha256 %08x %08x %08x %08x %08x %08x %08x %08x\n", state[0], state[1], state[2],
		state[3], state[4], state[5], state[6], state[7]);
	for (uint8_t i = 0; i < sizeof(counting); i++)
		counting[i] = i;
	pr_info("siphash %016llx\n",
		(unsigned long long)siphash(counting, sizeof(counting), 0x0706050403020100,
					    0x0f0e0d0c0b0a0908));
	pr_info("xxh32 %08x\n", xxh32_short(abc, 3));
	pr_info("xxh64 %016llx\n", (unsigned long long)xxh64_short(abc, 3));
	return 0;
}

module_init(start);
MODULE_LICENSE("Dual MIT/Apache-2.0");
