// function_ref: a callable that somebody else keeps.
//
// Purpose: a parameter that takes any callable without a template and without an allocation; for
// functions whose code should exist once (the standard's, from C++26 on: P0792).
// Invariants: refers to the callable, which must outlive the call that it was passed to.
// Thread-safety: as the callable.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace joinery {

template <class Signature>
class function_ref;

template <class R, class... Args>
class function_ref<R(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, function_ref> &&
             std::is_invocable_r_v<R, F&, Args...>)
  function_ref(F&& f)
  noexcept
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> R {
          auto& callable = *static_cast<std::remove_reference_t<F>*>(object);
          return std::invoke(callable, std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace joinery
