#include "core/local/sessions/conversations.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>

namespace finback {

Conversations::Conversations(MemoryBudget* budget, const ConversationLimits& limits)
    : budget_(budget), limits_(limits) {
  list_.reserve(limits.most + 1);
  budget->OnShortage([this] { return GiveWay(); });
}

Conversations::~Conversations() { budget_->OnShortage({}); }

// What a thread of the parent was in the middle of changing is left as it is, never freed.
void Conversations::ForgetParent() {
  if (!mutex_.TakeOrphaned()) return;
  new (&list_) List();
  list_.reserve(limits_.most + 1);
}

Conversations::Found Conversations::Find(std::span<const int32_t> ids) {
  const std::lock_guard<ForkMutex> lock(mutex_);
  ForgetParent();
  ++prompts_;
  Found found;
  Conversation* best = nullptr;
  for (Conversation& one : list_) {
    const size_t common = CommonPrefix(one.mark->ids, ids);
    const size_t tokens = one.mark->NearestBack(common);
    found.nearest = std::max(found.nearest, common);
    if (tokens > found.tokens ||
        (tokens == found.tokens && best != nullptr && one.last_use > best->last_use)) {
      found.tokens = tokens;
      best = &one;
    }
  }
  if (best != nullptr && found.tokens > 0) {
    if (found.tokens == best->mark->ids.size()) best->last_use = prompts_;
    found.mark = best->mark;
    found.running = best->keeping.running;
  }
  return found;
}

SharedMark Conversations::Keep(SequenceMark mark, Reservation charged,
                               const Keeping& keeping) noexcept {
  List gone;  // goes when the lock has been given back
  SharedMark kept;
  try {
    gone.reserve(limits_.most + 1);
    kept = std::make_shared<const SequenceMark>(std::move(mark));
    if (limits_.most == 0) return kept;
    const std::lock_guard<ForkMutex> lock(mutex_);
    ForgetParent();
    double uses = 0;
    for (size_t i = 0; i < list_.size();) {
      const SequenceMark& other = *list_[i].mark;
      const size_t common = CommonPrefix(other.ids, kept->ids);
      if (common == kept->ids.size() && common < other.ids.size() &&
          other.NearestBack(common) == common) {
        return kept;  // another one has all of it
      }
      const double part = static_cast<double>(common) / static_cast<double>(other.ids.size());
      uses = std::max(uses, list_[i].uses * part);
      if (common < other.ids.size() || list_[i].keeping.owner != keeping.owner) {
        list_[i].uses = std::max(1.0, list_[i].uses * (1 - part));
        ++i;
        continue;
      }
      gone.push_back(std::move(list_[i]));
      list_.erase(list_.begin() + static_cast<ptrdiff_t>(i));
    }
    list_.push_back({kept, std::move(charged), keeping, prompts_, uses + 1});
    while (list_.size() > limits_.most) {
      const size_t least = LeastUseful(Scarce::kPlaces, list_.size() - 1);
      gone.push_back(std::move(list_[least]));
      list_.erase(list_.begin() + static_cast<ptrdiff_t>(least));
    }
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  gone.clear();
  while (limits_.most_used != 0 && budget_->used() > limits_.most_used && GiveWay()) {
  }
  return kept;
}

void Conversations::Forget(Owner owner) noexcept {
  for (;;) {
    Conversation gone;
    const std::lock_guard<ForkMutex> lock(mutex_);
    ForgetParent();
    const auto theirs = std::find_if(list_.begin(), list_.end(), [&](const Conversation& one) {
      return one.keeping.owner == owner;
    });
    if (theirs == list_.end()) return;
    gone = std::move(*theirs);
    list_.erase(theirs);
  }
}

bool Conversations::GiveWay() noexcept {
  Conversation gone;
  const std::lock_guard<ForkMutex> lock(mutex_);
  ForgetParent();
  if (list_.empty()) return false;
  const size_t least = LeastUseful(Scarce::kBytes, list_.size());
  gone = std::move(list_[least]);
  list_.erase(list_.begin() + static_cast<ptrdiff_t>(least));
  return true;
}

size_t Conversations::size() {
  const std::lock_guard<ForkMutex> lock(mutex_);
  ForgetParent();
  return list_.size();
}

size_t Conversations::LeastUseful(Scarce scarce, size_t spared) const {
  size_t least = spared == 0 ? 1 : 0;
  double usefulness = Usefulness(scarce, least);
  for (size_t i = least + 1; i < list_.size(); ++i) {
    if (i == spared) continue;
    const double other = Usefulness(scarce, i);
    if (other >= usefulness) continue;
    least = i;
    usefulness = other;
  }
  return least;
}

double Conversations::Usefulness(Scarce scarce, size_t index) const {
  const Conversation& one = list_[index];
  size_t shared = 0;
  for (size_t i = 0; i < list_.size(); ++i) {
    if (i != index) shared = std::max(shared, CommonPrefix(list_[i].mark->ids, one.mark->ids));
  }
  const double tokens = static_cast<double>(one.mark->ids.size());
  const double alone = tokens - static_cast<double>(shared);
  const double age = static_cast<double>(prompts_ - one.last_use) + 1;
  const double saved = alone * one.uses / age;
  if (scarce == Scarce::kPlaces) return saved;
  const double copied = static_cast<double>(one.charged.bytes());
  const double entries = static_cast<double>(one.keeping.whole_bytes) - copied;
  return saved / (copied + std::max(entries, 0.0) * alone / tokens + 1);
}

}  // namespace finback
