// Owners of what C libraries hand out: std::unique_ptr<CURL, FreedBy<curl_easy_cleanup>>.
#pragma once

namespace finback {

template <auto kFree>
struct FreedBy {
  template <typename T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};

}  // namespace finback
