// Lays out a GGUF file (version 3, little endian): the header with metadata and tensor directory, and where
// each tensor's bytes go. Writing the bytes is the caller's business. Source: the GGUF specification.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/gguf.h"

namespace sluice {

class GgufWriter {
  public:
    void add(std::string_view key, uint32_t value);
    void add(std::string_view key, float value);
    void add(std::string_view key, bool value);
    void add(std::string_view key, std::string_view value);
    void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
    void add(std::string_view key, const std::string& value) { add(key, std::string_view(value)); }
    void add(std::string_view key, std::span<const std::string> values);
    void add(std::string_view key, std::span<const int32_t> values);
    void add(std::string_view key, std::span<const float> values);
    /// A value read from another file, in the width other programs expect (integers become 32 bits wide,
    /// floats single precision). Values without a use (arrays of arrays) are left out.
    void copy(std::string_view key, const GgufValue& value);

    /// Adds a tensor of at most 4 dimensions after those before it. A row (shape[0]) must be whole blocks:
    /// throws internal otherwise.
    void add_tensor(std::string name, TensorType type, std::span<const uint64_t> shape);

    /// As a reader will see them; offsets from the start of the data.
    const std::vector<GgufTensor>& tensors() const { return tensors_; }
    /// All that precedes the data, padded to the alignment.
    std::string header() const;
    /// Of the data, the padding after the last tensor included.
    uint64_t data_bytes() const { return data_bytes_; }

    static constexpr uint64_t alignment = 32;

  private:
    template <typename T>
    void put_array(std::string_view key, uint32_t type, std::span<const T> values);
    void put_key(std::string_view key, uint32_t type);

    std::string metadata_;
    uint64_t n_values_ = 0;
    std::vector<GgufTensor> tensors_;
    uint64_t data_bytes_ = 0;
};

}  // namespace sluice
