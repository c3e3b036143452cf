// What is in a GGUF file or a split set of them: metadata and the tensor directory, checked. Nothing here
// knows what the tensors mean or where their bytes will live; only the header is read, so a 212 GB set opens
// in milliseconds.
//
// Promise: after open() returned, every tensor's type is known, its byte count is computed without overflow
// from its shape, and [offset, offset + n_bytes) lies inside its shard and overlaps no other tensor. Anything
// else is an Error whose sentence names the file, what was expected and what was found. Memory used is in
// proportion to the header. Source: the GGUF specification (versions 2 and 3, little endian).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "format/tensor_type.h"

namespace sluice {

/// A metadata value. Integers of all widths are kept as int64 or uint64, floats as double; arrays are typed.
/// (An array of arrays is legal in GGUF but carries nothing Sluice uses: it is checked, skipped and kept as
/// monostate.)
using GgufValue =
    std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, std::vector<bool>,
                 std::vector<int64_t>, std::vector<uint64_t>, std::vector<float>, std::vector<std::string>>;

/// Key-value pairs of a GGUF header, in file order, with typed access. A getter without default throws
/// invalid_file if the key is missing; each throws invalid_file if the value has another kind ("expected … to
/// be …, found …").
class GgufMetadata {
  public:
    const GgufValue* find(std::string_view key) const;
    bool has(std::string_view key) const { return find(key) != nullptr; }
    /// Integers accept both signednesses if the value fits; floats accept integers.
    uint64_t get_uint(std::string_view key) const;
    uint64_t get_uint(std::string_view key, uint64_t otherwise) const;
    int64_t get_int(std::string_view key, int64_t otherwise) const;
    double get_float(std::string_view key) const;
    double get_float(std::string_view key, double otherwise) const;
    bool get_bool(std::string_view key, bool otherwise) const;
    std::string get_string(std::string_view key) const;
    std::string get_string(std::string_view key, std::string_view otherwise) const;
    /// Pointers into the metadata; nullptr if the key is missing.
    const std::vector<std::string>* find_strings(std::string_view key) const;
    /// Integer or bool or float arrays converted; empty optional if the key is missing.
    std::optional<std::vector<int64_t>> find_ints(std::string_view key) const;
    std::optional<std::vector<float>> find_floats(std::string_view key) const;

    const std::vector<std::pair<std::string, GgufValue>>& entries() const { return entries_; }
    void add(std::string key, GgufValue value);  // throws invalid_file on a doubled key
    /// The file's name, for messages.
    std::string source;

  private:
    std::vector<std::pair<std::string, GgufValue>> entries_;
    std::unordered_map<std::string, size_t> index_;
};

/// Where one tensor's bytes are.
struct GgufTensor {
    std::string name;
    TensorType type = TensorType::F32;
    uint32_t n_dims = 1;
    std::array<uint64_t, 4> shape{1, 1, 1,
                                  1};  // shape[0] varies fastest (a row's length); missing dimensions are 1
    uint32_t shard = 0;                // index into GgufFile::shards()
    uint64_t offset = 0;               // of the first byte, from the start of the shard's file
    uint64_t n_bytes = 0;

    uint64_t n_weights() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
    std::string shape_text() const;  // "7168 x 2048 x 256"
};

struct GgufShard {
    std::filesystem::path path;
    uint64_t file_bytes = 0;
    uint64_t data_offset = 0;  // where the tensor data begins
    uint64_t alignment = 32;
};

/// Random access to a file's bytes while its header is parsed.
class ByteSource {
  public:
    virtual ~ByteSource() = default;
    virtual uint64_t size() const = 0;
    /// Fills `out` from `offset`; the caller has checked the range against size(). Throws io.
    virtual void read(uint64_t offset, std::span<std::byte> out) = 0;
};

class GgufFile {
  public:
    /// Opens a file or, if its name ends in -00001-of-0000N.gguf (or its metadata says split.count), the
    /// whole set. Naming any shard but the first is an error that names the first; a missing, doubled or
    /// foreign shard is named.
    static GgufFile open(const std::filesystem::path& path);
    /// Parses one file's header from bytes (tests, fuzzing). `name` is used in messages.
    static GgufFile parse(ByteSource& bytes, const std::filesystem::path& name);

    uint32_t version() const { return version_; }
    const GgufMetadata& metadata() const { return metadata_; }
    const std::vector<GgufTensor>& tensors() const { return tensors_; }
    const std::vector<GgufShard>& shards() const { return shards_; }
    const GgufTensor* find(std::string_view name) const;
    uint64_t total_bytes() const;  // of all shards' files

  private:
    uint32_t version_ = 0;
    GgufMetadata metadata_;
    std::vector<GgufTensor> tensors_;
    std::vector<GgufShard> shards_;
    std::unordered_map<std::string, size_t> index_;
};

}  // namespace sluice
