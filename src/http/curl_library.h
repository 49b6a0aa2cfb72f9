// libcurl, loaded when the first request is made: with the thirty libraries behind it, it would take longer to start
// than most programs take to run, and most never make a request.
//
// Threads  any thread. Loaded once per process, never unloaded, never changed.
// Errors   `unsupported`, name NETWORK: the library is not installed or too old.
#pragma once

#include <curl/curl.h>

#include <string>

#include "base/result.h"

namespace fusebox::http {

struct CurlLibrary {
  // The members are named as libcurl names its functions, less the prefix `curl_`.
  decltype(&::curl_version) version;
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_cleanup) multi_cleanup;
  decltype(&::curl_multi_setopt) multi_setopt;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_info_read) multi_info_read;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;

  static base::Result<const CurlLibrary*> load();
};

}  // namespace fusebox::http
