#include "fleet/store/sqlite_log_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace fusebox::fleet {
namespace {

constexpr sqlite3_int64 kCollectedMax = 96 << 10;  // SQLite's own layer cuts a write at 128 KiB
constexpr const char* kName = "fusebox-log";

// What SQLite allocates for each file; the real one's own part lies behind it.
struct File {
  sqlite3_file base;
  std::vector<char>* collected;  // of a log; null for all other files
  sqlite3_int64 begin;           // of what is collected
};

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}

// What could not be written is gone: SQLite writes its frames again, or forgets them.
int write_out(sqlite3_file* raw) {
  auto* file = reinterpret_cast<File*>(raw);
  if (file->collected == nullptr || file->collected->empty()) return SQLITE_OK;
  const int result = real(raw)->pMethods->xWrite(real(raw), file->collected->data(),
                                                 static_cast<int>(file->collected->size()), file->begin);
  file->collected->clear();
  return result;
}

int on_close(sqlite3_file* raw) {
  const int written = write_out(raw);
  delete reinterpret_cast<File*>(raw)->collected;
  const int closed = real(raw)->pMethods->xClose(real(raw));
  return written == SQLITE_OK ? closed : written;
}

int on_write(sqlite3_file* raw, const void* data, int bytes, sqlite3_int64 at) {
  auto* file = reinterpret_cast<File*>(raw);
  if (file->collected == nullptr) return real(raw)->pMethods->xWrite(real(raw), data, bytes, at);
  const auto size = static_cast<sqlite3_int64>(file->collected->size());
  const bool follows = at == file->begin + size && size + bytes <= kCollectedMax;
  if (size > 0 && !follows) {
    if (const int result = write_out(raw); result != SQLITE_OK) return result;
  }
  if (file->collected->empty()) file->begin = at;
  try {
    const char* const from = static_cast<const char*>(data);
    file->collected->insert(file->collected->end(), from, from + bytes);
  } catch (const std::bad_alloc&) {  // SQLite's frames know nothing of exceptions
    return SQLITE_NOMEM;
  }
  return SQLITE_OK;
}

// Everything else sees what was written.
template <auto Member, class... Arguments>
int after_writing(sqlite3_file* raw, Arguments... arguments) {
  if (const int result = write_out(raw); result != SQLITE_OK) return result;
  return (real(raw)->pMethods->*Member)(real(raw), arguments...);
}
template <auto Member, class... Arguments>
int forward(sqlite3_file* raw, Arguments... arguments) {
  return (real(raw)->pMethods->*Member)(real(raw), arguments...);
}
void on_shm_barrier(sqlite3_file* raw) {
  real(raw)->pMethods->xShmBarrier(real(raw));
}

using Methods = sqlite3_io_methods;
constexpr Methods kMethods = {
    .iVersion = 3,
    .xClose = on_close,
    .xRead = after_writing<&Methods::xRead>,
    .xWrite = on_write,
    .xTruncate = after_writing<&Methods::xTruncate>,
    .xSync = after_writing<&Methods::xSync>,
    .xFileSize = after_writing<&Methods::xFileSize>,
    .xLock = forward<&Methods::xLock>,
    .xUnlock = forward<&Methods::xUnlock>,
    .xCheckReservedLock = forward<&Methods::xCheckReservedLock>,
    .xFileControl = forward<&Methods::xFileControl>,
    .xSectorSize = forward<&Methods::xSectorSize>,
    .xDeviceCharacteristics = forward<&Methods::xDeviceCharacteristics>,
    .xShmMap = forward<&Methods::xShmMap>,
    .xShmLock = forward<&Methods::xShmLock>,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = forward<&Methods::xShmUnmap>,
    .xFetch = forward<&Methods::xFetch>,
    .xUnfetch = forward<&Methods::xUnfetch>,
};

int on_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* raw, int flags, int* flags_out);

// SQLite keeps the address.
struct Vfs {
  sqlite3_vfs base{};
  sqlite3_vfs* real = nullptr;
  bool registered = false;

  Vfs() {
    real = sqlite3_vfs_find(nullptr);
    if (real == nullptr) return;
    base = *real;  // what is not replaced works on names alone
    base.pNext = nullptr;
    base.zName = kName;
    base.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
    base.xOpen = on_open;
    registered = sqlite3_vfs_register(&base, 0) == SQLITE_OK;
  }
};
Vfs& vfs() {
  static Vfs one;
  return one;
}

int on_open(sqlite3_vfs*, const char* name, sqlite3_file* raw, int flags, int* flags_out) {
  auto* file = reinterpret_cast<File*>(raw);
  std::memset(file, 0, sizeof(File));
  auto collected = (flags & SQLITE_OPEN_WAL) != 0
                       ? std::unique_ptr<std::vector<char>>(new (std::nothrow) std::vector<char>)
                       : nullptr;
  sqlite3_vfs* const below = vfs().real;
  const int result = below->xOpen(below, name, real(raw), flags, flags_out);
  const Methods* const methods = real(raw)->pMethods;
  if (methods == nullptr) return result;  // not open, and not to be closed
  if (methods->iVersion < 3) {
    methods->xClose(real(raw));
    return SQLITE_CANTOPEN;
  }
  file->collected = collected.release();
  file->base.pMethods = &kMethods;
  return result;
}

}  // namespace

const char* sqlite_log_vfs() {
  return vfs().registered ? kName : nullptr;
}

}  // namespace fusebox::fleet
