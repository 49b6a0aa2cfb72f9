// The functions of module `env` that small toolchains leave to the host, and the one of module `wanted`.
//
// C's string functions on the guest's memory: what would reach outside it ends the run, as in compiled code. Output goes
// to the guest's fd 1.
// Contract containers.md 3.1
#pragma once

#include <cstdint>

#include "wasi/process_impl.h"

namespace fusebox::wasi::env {

using i32 = std::int32_t;
using u32 = std::uint32_t;

// These three wait when fd 1 does. The result is C's: bytes or a non-negative number, -1 when fd 1 takes nothing.
i32 printf(Caller& caller, u32 format, u32 arguments);
i32 puts(Caller& caller, u32 text);
i32 putchar(Caller& caller, u32 character);

u32 memcpy(Caller& caller, u32 to, u32 from, u32 size);
u32 memmove(Caller& caller, u32 to, u32 from, u32 size);
u32 memset(Caller& caller, u32 to, u32 value, u32 size);
i32 memcmp(Caller& caller, u32 a, u32 b, u32 size);
u32 strlen(Caller& caller, u32 text);
i32 strcmp(Caller& caller, u32 a, u32 b);
i32 strncmp(Caller& caller, u32 a, u32 b, u32 size);
u32 strcpy(Caller& caller, u32 to, u32 from);
u32 strncpy(Caller& caller, u32 to, u32 from, u32 size);
u32 strchr(Caller& caller, u32 text, u32 character);

i32 wanted_func(Caller& caller, u32 a, u32 b, u32 c);  // always 0

}  // namespace fusebox::wasi::env
