// The deleter of a handle that a C library frees by a function: std::unique_ptr<X, Freed<x_free>>.
//
// Threads  stateless.
#pragma once

namespace fusebox::base {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

}  // namespace fusebox::base
