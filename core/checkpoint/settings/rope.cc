#include "core/checkpoint/settings/rope.h"

#include <climits>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/contains.h"
#include "core/base/status.h"

namespace finback {
namespace {

constexpr double kMinTheta = 1.001, kMaxTheta = 1e12;
constexpr std::string_view kMain[] = {"main", "sliding_attention"};
constexpr std::string_view kCompressed[] = {"compress", "compressed_sparse_attention",
                                            "heavily_compressed_attention"};

[[noreturn]] void Refuse(const JsonFields& fields, std::string_view name, const std::string& found,
                         const char* supported) {
  fields.FailAtPath(
      Code::kUnsupported, fields.Path(name),
      Format("found %s, which is not supported (supported: %s)", found.c_str(), supported));
}

struct Yarn {
  double factor = 1, beta_fast = 32, beta_slow = 1;
  int64_t original_positions = 0;
  bool operator==(const Yarn&) const = default;
};

class Reader {
 public:
  explicit Reader(JsonFields* root) : root_(*root) {}

  RopeSettings Read() {
    Theta(&root_, "rope_theta", &out_.theta);
    Theta(&root_, "compress_rope_theta", &out_.compress_theta);
    for (const char* name : {"rope_scaling", "rope_parameters"}) {
      JsonFields block = root_.Object(name);
      if (!block.IsAbsent()) Shape(&block, *root_.Find(name));
    }
    int64_t original = 0;
    if (root_.Integer("original_max_position_embeddings", 1, INT32_MAX, &original)) {
      CheckOriginal(original);
    }
    const bool yarn = has_yarn_ && yarn_.original_positions > 0;
    if (yarn) {
      out_.factor = static_cast<float>(yarn_.factor);
      out_.beta_fast = static_cast<float>(yarn_.beta_fast);
      out_.beta_slow = static_cast<float>(yarn_.beta_slow);
      out_.original_positions = yarn_.original_positions;
    }
    return out_;
  }

 private:
  // One block for all layers, or one for each kind of them, with nothing else beside.
  void Shape(JsonFields* block, const Json& json) {
    std::vector<std::string_view> flat;
    bool nested = false;
    for (const auto& [name, value] : json.members) {
      const bool main = Contains(kMain, name), compressed = Contains(kCompressed, name);
      if (value.IsNull()) continue;
      if (!main && !compressed) {
        flat.push_back(name);
        continue;
      }
      nested = true;
      JsonFields inner = block->Object(name);
      if (main) {
        Theta(&inner, "rope_theta", &out_.theta);
        if (Block(&inner, value)) Refuse(inner, TypeName(&inner), "\"yarn\"", "\"default\"");
      } else {
        Theta(&inner, "rope_theta", &out_.compress_theta);
        AddYarn(&inner, value);
      }
    }
    if (!nested) {
      FlatTheta(block);
      AddYarn(block, json);
      return;
    }
    // Some writers leave the flat fields beside the blocks: harmless where they say nothing more.
    for (const std::string_view name : flat) {
      const Json& value = *block->Find(name);
      const bool plain =
          (name == "rope_type" || name == "type") && value.IsString() && value.text == "default";
      if (name == "rope_theta") {
        FlatTheta(block);
      } else if (name == "partial_rotary_factor") {
        Partial(block);
      } else if (!plain) {
        Refuse(*block, name, Described(value), "nothing beside the blocks of each kind of layer");
      }
    }
  }

  // A flat block's theta is that of the window layers, unless it repeats the other.
  void FlatTheta(JsonFields* block) {
    double theta = 0;
    if (!block->Number("rope_theta", kMinTheta, kMaxTheta, &theta)) return;
    const float found = static_cast<float>(theta);
    if (out_.theta != 0 && found == out_.compress_theta) return;
    Once(*block, "rope_theta", found, &out_.theta);
  }

  void Theta(JsonFields* fields, const char* name, float* theta) {
    double found = 0;
    if (fields->Number(name, kMinTheta, kMaxTheta, &found)) {
      Once(*fields, name, static_cast<float>(found), theta);
    }
  }

  void Partial(JsonFields* block) {
    double factor = 0;
    if (block->Number("partial_rotary_factor", 1e-6, 1, &factor)) {
      Once(*block, "partial_rotary_factor", static_cast<float>(factor), &out_.partial_factor);
    }
  }

  static void Once(const JsonFields& fields, const char* name, float found, float* value) {
    if (*value != 0 && *value != found) {
      fields.Fail(name, Format("found %g, but another place says %g: expected one value",
                               static_cast<double>(found), static_cast<double>(*value)));
    }
    *value = found;
  }

  static const char* TypeName(JsonFields* block) {
    return block->Find("rope_type") != nullptr ? "rope_type" : "type";
  }

  void AddYarn(JsonFields* block, const Json& json) {
    Yarn yarn;
    if (Block(block, json)) yarn = ReadYarn(block);
    if (has_yarn_ && !(yarn == yarn_)) {
      block->Fail(TypeName(block),
                  "scales otherwise than another place does: expected one scaling");
    }
    has_yarn_ = true;
    yarn_ = yarn;
  }

  // Checks the members of a block; whether it is YaRN.
  bool Block(JsonFields* block, const Json& json) {
    const std::string* type = block->FindString("rope_type");
    const std::string* older = block->FindString("type");
    if (type != nullptr && older != nullptr && *type != *older) {
      block->Fail("type", "found " + Quoted(*older) + ", but rope_type is " + Quoted(*type));
    }
    if (type == nullptr) type = older;
    if (type != nullptr && *type != "yarn" && *type != "default") {
      Refuse(*block, TypeName(block), Quoted(*type), "\"yarn\", \"default\"");
    }
    const bool yarn = type != nullptr && *type == "yarn";
    for (const auto& [name, value] : json.members) {
      if (!value.IsNull()) Member(block, name, value, yarn);
    }
    Partial(block);
    return yarn;
  }

  static void Member(JsonFields* block, const std::string& name, const Json& value, bool yarn) {
    static constexpr std::string_view kPlain[] = {"rope_type",  "type",
                                                  "rope_theta", "partial_rotary_factor",
                                                  "finetuned",  "max_position_embeddings"};
    static constexpr std::string_view kOfYarn[] = {"factor", "beta_fast", "beta_slow",
                                                   "original_max_position_embeddings"};
    if (Contains(kPlain, name) || (yarn && Contains(kOfYarn, name))) return;
    if (Contains(kOfYarn, name)) {
      block->Fail(name, "has no effect without rope_type \"yarn\": expected both or neither");
    }
    // What other models scale besides, with the value that scales nothing.
    struct Fixed {
      const char* name;
      double value;
    };
    for (const Fixed& fixed :
         {Fixed{"attention_factor", 1}, Fixed{"attn_factor", 1}, Fixed{"extrapolation_factor", 1},
          Fixed{"mscale", 0}, Fixed{"mscale_all_dim", 0}}) {
      if (name != fixed.name) continue;
      if (value.IsNumber() && value.number == fixed.value) return;
      Refuse(*block, name, Described(value), fixed.value == 1 ? "1" : "0");
    }
    if (name == "truncate" && value.IsBool() && value.boolean) return;
    Refuse(*block, name, Described(value), "DeepSeek-V4's own fields of YaRN");
  }

  Yarn ReadYarn(JsonFields* block) {
    Yarn yarn;
    yarn.factor = block->RequireNumber("factor", 1.0, 1e6);
    block->Number("beta_fast", 1e-3, 1e6, &yarn.beta_fast);
    block->Number("beta_slow", 1e-3, 1e6, &yarn.beta_slow);
    constexpr const char* kOriginal = "original_max_position_embeddings";
    JsonFields* place = block->Find(kOriginal) == nullptr && root_.Find(kOriginal) ? &root_ : block;
    yarn.original_positions = place->RequireInteger(kOriginal, 0, INT32_MAX);
    if (yarn.beta_fast < yarn.beta_slow) {
      block->Fail("beta_fast", Format("expected at least beta_slow (%g), found %g", yarn.beta_slow,
                                      yarn.beta_fast));
    }
    return yarn;
  }

  // Beside the blocks: the same number once more, or that of a model that was never extended.
  void CheckOriginal(int64_t original) {
    int64_t limit = 0;
    root_.Integer("max_position_embeddings", 1, INT32_MAX, &limit);
    const bool same = has_yarn_ && yarn_.original_positions == original;
    if (same || (yarn_.original_positions == 0 && original == limit)) return;
    root_.Fail(
        "original_max_position_embeddings",
        yarn_.original_positions == 0
            ? "has no effect without YaRN in rope_scaling or rope_parameters"
            : Format("found %lld, but the rotary fields say %lld", static_cast<long long>(original),
                     static_cast<long long>(yarn_.original_positions)));
  }

  JsonFields& root_;
  RopeSettings out_;
  Yarn yarn_;
  bool has_yarn_ = false;
};

}  // namespace

RopeSettings ReadRope(JsonFields* root) { return Reader(root).Read(); }

}  // namespace finback
