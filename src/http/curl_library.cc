#include "http/curl_library.h"

#include <dlfcn.h>

#include "http/library.h"

namespace fusebox::http {
namespace {

constexpr const char* kLibraryName = "libcurl.so.4";  // libcurl's interface number since 2006

struct Loaded {
  CurlLibrary library{};
  std::string problem;  // "" when loaded
};

template <class Function>
bool find(void* handle, const char* name, Function& into) {
  into = reinterpret_cast<Function>(::dlsym(handle, name));
  return into != nullptr;
}

bool find_all(void* from, CurlLibrary& curl) {
  return find(from, "curl_version", curl.version) && find(from, "curl_global_init", curl.global_init) &&
         find(from, "curl_easy_init", curl.easy_init) && find(from, "curl_easy_cleanup", curl.easy_cleanup) &&
         find(from, "curl_easy_reset", curl.easy_reset) && find(from, "curl_easy_setopt", curl.easy_setopt) &&
         find(from, "curl_easy_strerror", curl.easy_strerror) && find(from, "curl_multi_init", curl.multi_init) &&
         find(from, "curl_multi_cleanup", curl.multi_cleanup) && find(from, "curl_multi_setopt", curl.multi_setopt) &&
         find(from, "curl_multi_add_handle", curl.multi_add_handle) &&
         find(from, "curl_multi_remove_handle", curl.multi_remove_handle) &&
         find(from, "curl_multi_perform", curl.multi_perform) && find(from, "curl_multi_poll", curl.multi_poll) &&
         find(from, "curl_multi_info_read", curl.multi_info_read) &&
         find(from, "curl_slist_append", curl.slist_append) && find(from, "curl_slist_free_all", curl.slist_free_all);
}

Loaded load_once() {
  Loaded loaded;
  void* handle = ::dlopen(kLibraryName, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    loaded.problem = std::string("libcurl cannot be loaded: ") + ::dlerror();
  } else if (!find_all(handle, loaded.library)) {
    loaded.problem = std::string(kLibraryName) + " is too old: 7.85 or newer is needed";
  } else if (loaded.library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    loaded.problem = "libcurl cannot be initialised";
  }
  return loaded;
}

}  // namespace

base::Result<const CurlLibrary*> CurlLibrary::load() {
  static const Loaded loaded = load_once();
  if (!loaded.problem.empty()) return base::fail(base::Errc::unsupported, loaded.problem, "NETWORK");
  return &loaded.library;
}

base::Result<std::string> library_version() {
  FB_TRY(const CurlLibrary* curl, CurlLibrary::load());
  return std::string(curl->version());
}

}  // namespace fusebox::http
