/* sha256 [--own] [FILE...]: digests as sha256sum prints them. The engine's /dev/sha256 computes them where the container has
 * it and --own does not ask for this module's own code, which is slower. */
#include "tools.h"

#define BLOCK_BYTES 64
#define HEX_BYTES 64

/* FIPS 180-4. */
struct sha256 {
  uint32_t state[8];
  uint64_t bytes;
  unsigned char block[BLOCK_BYTES];
};

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turned(uint32_t value, int bits) {
  return value >> bits | value << (32 - bits);
}

static void add_block(struct sha256* hash, const unsigned char* block) {
  uint32_t w[64];
  uint32_t s[8];
  for (int i = 0; i < 16; i++) {
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
           block[4 * i + 3];
  }
  for (int i = 16; i < 64; i++) {
    const uint32_t a = turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3;
    const uint32_t b = turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(s, hash->state, sizeof s);
  for (int i = 0; i < 64; i++) {
    const uint32_t sum1 = turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25);
    const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    const uint32_t t1 = s[7] + sum1 + choice + constants[i] + w[i];
    const uint32_t sum0 = turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22);
    const uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    memmove(s + 1, s, 7 * sizeof s[0]);
    s[4] += t1;
    s[0] = t1 + sum0 + majority;
  }
  for (int i = 0; i < 8; i++) hash->state[i] += s[i];
}

static void sha256_start(struct sha256* hash) {
  static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, initial, sizeof initial);
  hash->bytes = 0;
}

static void sha256_add(struct sha256* hash, const unsigned char* bytes, size_t size) {
  while (size != 0) {
    const size_t at = (size_t)(hash->bytes % BLOCK_BYTES);
    const size_t part = size < BLOCK_BYTES - at ? size : BLOCK_BYTES - at;
    memcpy(hash->block + at, bytes, part);
    hash->bytes += part;
    bytes += part;
    size -= part;
    if (at + part == BLOCK_BYTES) add_block(hash, hash->block);
  }
}

static void sha256_end(struct sha256* hash, char hex[HEX_BYTES]) {
  static const unsigned char padding[BLOCK_BYTES] = {0x80};
  unsigned char length[8];
  const uint64_t bits = hash->bytes * 8;
  const size_t at = (size_t)(hash->bytes % BLOCK_BYTES);
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
  sha256_add(hash, padding, at < 56 ? 56 - at : 120 - at);
  sha256_add(hash, length, sizeof length);
  for (int i = 0; i < HEX_BYTES; i++) hex[i] = "0123456789abcdef"[hash->state[i / 8] >> (28 - i % 8 * 4) & 15];
}

/* 0 and the digest, or -1 with errno. */
static int digest_own(int fd, char hex[HEX_BYTES]) {
  struct sha256 hash;
  ssize_t got;
  sha256_start(&hash);
  while ((got = read_some(fd, piece, sizeof piece)) > 0) sha256_add(&hash, (const unsigned char*)piece, (size_t)got);
  sha256_end(&hash, hex);
  return got < 0 ? -1 : 0;
}

static int digest_by_device(int device, int fd, char hex[HEX_BYTES]) {
  ssize_t got;
  while ((got = read_some(fd, piece, sizeof piece)) > 0) {
    if (write_all(device, piece, (size_t)got) != 0) return -1;
  }
  if (got < 0) return -1;
  for (size_t used = 0; used < HEX_BYTES; used += (size_t)got) {
    got = read(device, hex + used, HEX_BYTES - used);
    if (got <= 0) return -1;
  }
  return 0;
}

static int sha256_one(int fd, const char* name, void* context) {
  const bool* own = context;
  char hex[HEX_BYTES];
  const int device = *own ? -1 : open("/dev/sha256", O_RDWR);
  const int result = device >= 0 ? digest_by_device(device, fd, hex) : digest_own(fd, hex);
  if (name == NULL) name = "-";
  if (result != 0) complain("sha256", name);
  if (device >= 0) close(device);
  if (result != 0) return 1;
  struct out out = {.fd = STDOUT_FILENO};
  out_bytes(&out, hex, HEX_BYTES);
  out_text(&out, "  ");
  out_text(&out, name);
  out_text(&out, "\n");
  out_flush(&out);
  return 0;
}

int tool_sha256(int argc, char** argv) {
  bool own = argc > 1 && strcmp(argv[1], "--own") == 0;
  return each_input("sha256", argc, argv, own ? 2 : 1, sha256_one, &own);
}
