#include "engine/wasmtime_program.h"

#include <algorithm>
#include <array>

namespace fusebox::engine {
namespace {

std::string full_name(const Import& import) {
  return import.module + "." + import.field;
}

base::Result<void> link_error(const Import& import, const std::string& text) {
  return base::fail(base::Errc::invalid, "import " + full_name(import) + ": " + text, "LINK");
}

bool is_simple(ValType type) noexcept {
  return type == ValType::i32 || type == ValType::i64 || type == ValType::f32 || type == ValType::f64 ||
         type == ValType::v128;
}

wasm_valtype_t* valtype(ValType type) {
  switch (type) {
    case ValType::i32:
      return wasm_valtype_new(WASM_I32);
    case ValType::i64:
      return wasm_valtype_new(WASM_I64);
    case ValType::f32:
      return wasm_valtype_new(WASM_F32);
    case ValType::f64:
      return wasm_valtype_new(WASM_F64);
    case ValType::v128:
      return wasmtime_wasm_valtype_v128();
    case ValType::funcref:
      return wasm_valtype_new(WASM_FUNCREF);
    case ValType::externref:
      return wasm_valtype_new(WASM_EXTERNREF);
  }
  return wasm_valtype_new(WASM_I32);
}

FuncTypePtr functype(const FuncType& type) {
  const auto list = [](const std::vector<ValType>& types) {
    std::vector<wasm_valtype_t*> raw;
    raw.reserve(types.size());
    for (const ValType each : types) raw.push_back(valtype(each));
    wasm_valtype_vec_t out;
    wasm_valtype_vec_new(&out, raw.size(), raw.data());
    return out;
  };
  wasm_valtype_vec_t params = list(type.params);
  wasm_valtype_vec_t results = list(type.results);
  return FuncTypePtr(wasm_functype_new(&params, &results));
}

// Every instance counts itself at its program and reads it: the two apart, so that threads do not wait for each other's
// counting when they read.
struct alignas(64) OwnCacheLine : Program {
  using Program::Program;
};

// A wrapper takes the answer kCallAgain for itself, so the function behind it must know; and only an i32 can be that.
base::Result<void> check_asking(const Import& import, const HostImport& offer, bool waits) {
  if (waits && !offer.may_ask_again) {
    return link_error(import, "this engine lets it ask to be called again; offer it with may_ask_again");
  }
  if (offer.may_ask_again && (offer.blocking != nullptr || offer.type.results != std::vector{ValType::i32})) {
    return link_error(import,
                      "only a function that does not block, with one i32 as result, may ask to be called again");
  }
  return {};
}

// The offered function of that name and type, or why there is none.
base::Result<const HostImport*> find(const Import& import, std::span<const HostImport> offers) {
  if (import.kind != ExternKind::function) {
    return base::fail(
        link_error(import, "is a " + std::string(to_string(import.kind)) + "; only functions can be imported").error());
  }
  std::string offered;
  for (const HostImport& offer : offers) {
    if (offer.module != import.module || offer.field != import.field) continue;
    if (offer.type == import.function) return &offer;
    offered += (offered.empty() ? "" : ", ") + offer.type.text();
  }
  const std::string wanted = import.function.text();
  if (offered.empty()) {
    return base::fail(
        link_error(import, "unknown function of type " + wanted + "; Fusebox offers nothing of that name here")
            .error());
  }
  return base::fail(link_error(import, "type is " + wanted + "; Fusebox offers " + offered).error());
}

}  // namespace

base::Result<std::shared_ptr<const Program>> Program::link(std::shared_ptr<const Code> code,
                                                           std::span<const HostImport> imports) {
  auto impl = std::make_unique<Impl>();
  for (const Import& import : code->info().imports) {
    FB_TRY(const HostImport* found, find(import, imports));
    const auto same_name = [&](const HostImport& known) {
      return known.module == import.module && known.field == import.field;
    };
    const auto known = std::ranges::find_if(impl->imports, same_name);
    if (known == impl->imports.end()) {
      if (!std::ranges::all_of(found->type.params, is_simple) || !std::ranges::all_of(found->type.results, is_simple)) {
        FB_CHECK(link_error(import, "references cannot be passed to host functions"));
      }
      const bool waits = code->impl().waits && may_ask_again(import, code->engine().options().may_ask_again);
      FB_CHECK(check_asking(import, *found, waits));
      impl->imports.push_back(*found);
      impl->bound.push_back({found->function, found->env, found->blocking, found->type, full_name(import), waits});
      impl->blocks = impl->blocks || found->blocking != nullptr;
    } else if (known->type != found->type) {
      FB_CHECK(link_error(
          import, "is imported with two types, " + known->type.text() + " and " + found->type.text() + "; use one"));
    }
  }
  impl->blocks = impl->blocks || code->impl().waits;
  impl->code = std::move(code);
  FB_CHECK(impl->pre(impl->code->impl().fits_pool ? Placement::pooled : Placement::on_demand));
  return std::make_shared<const OwnCacheLine>(std::move(impl));
}

namespace {

wasmtime_error_t* define(wasmtime_linker_t* linker, const HostImport& import, const BoundImport& bound) {
  const FuncTypePtr type = functype(import.type);
  // Wasmtime hands the pointer back unchanged; `bound` does not move once the Program exists.
  void* env = const_cast<BoundImport*>(&bound);
  const char* module_name = import.module.data();
  const char* field = import.field.data();
  if (import.blocking != nullptr) {
    return wasmtime_linker_define_async_func(linker, module_name, import.module.size(), field, import.field.size(),
                                             type.get(), &blocking_trampoline, env, nullptr);
  }
  return wasmtime_linker_define_func_unchecked(
      linker, module_name, import.module.size(), field, import.field.size(), type.get(),
      import.may_ask_again ? &asking_trampoline : &host_call_trampoline, env, nullptr);
}

wasmtime_error_t* define_wait(wasmtime_linker_t* linker) {
  const FuncTypePtr type = functype(FuncType{});
  return wasmtime_linker_define_async_func(linker, kWaitModule.data(), kWaitModule.size(), kWaitField.data(),
                                           kWaitField.size(), type.get(), &wait_trampoline, nullptr, nullptr);
}

}  // namespace

base::Result<Program::Impl::Linked> Program::Impl::link_for(Placement placement) const {
  FB_TRY(const wasmtime_module_t* module, code->impl().module(placement));
  Engine::Impl& engine = code->engine().impl();
  Linked linked;
  linked.linker.reset(wasmtime_linker_new(placement == Placement::pooled ? engine.pooled.get() : engine.on_demand()));
  for (std::size_t i = 0; i < imports.size(); ++i) {
    FB_CHECK(
        check(base::Errc::bug, "cannot define " + bound[i].name, define(linked.linker.get(), imports[i], bound[i])));
  }
  if (code->impl().waits) FB_CHECK(check(base::Errc::bug, "cannot define the wait", define_wait(linked.linker.get())));
  wasmtime_instance_pre_t* raw = nullptr;
  FB_CHECK(check(base::Errc::invalid, "cannot link the module",
                 wasmtime_linker_instantiate_pre(linked.linker.get(), module, &raw), "LINK"));
  linked.pre.reset(raw);
  return linked;
}

base::Result<const wasmtime_instance_pre_t*> Program::Impl::pre(Placement placement) const {
  if (placement == Placement::pooled && pooled_.pre)
    return pooled_.pre.get();  // set by link(), never changed afterwards
  const std::lock_guard lock(mutex_);
  Linked& linked = placement == Placement::pooled ? pooled_ : on_demand_;
  if (!linked.pre) {
    FB_TRY(linked, link_for(placement));
  }
  return linked.pre.get();
}

Program::Program(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Program::~Program() = default;
const Code& Program::code() const noexcept {
  return *impl_->code;
}

}  // namespace fusebox::engine
