#include "format/gguf_writer.h"

#include <bit>
#include <cstring>
#include <type_traits>

#include "core/fail.h"
#include "core/sizes.h"

namespace sluice {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

namespace {

/// Ids of value types in the file.
enum WrittenType : uint32_t {
    uint32_type = 4,
    int32_type = 5,
    float_type = 6,
    bool_type = 7,
    string_type = 8,
    array_type = 9
};

template <typename T>
void put(std::string& out, T value) {
    static_assert(std::is_arithmetic_v<T>);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
}

void put_string(std::string& out, std::string_view text) {
    put(out, uint64_t(text.size()));
    out += text;
}

uint64_t align(uint64_t x) {
    return (x + GgufWriter::alignment - 1) / GgufWriter::alignment * GgufWriter::alignment;
}

}  // namespace

void GgufWriter::put_key(std::string_view key, uint32_t type) {
    put_string(metadata_, key);
    put(metadata_, type);
    ++n_values_;
}

template <typename T>
void GgufWriter::put_array(std::string_view key, uint32_t type, std::span<const T> values) {
    put_key(key, array_type);
    put(metadata_, type);
    put(metadata_, uint64_t(values.size()));
    for (const T& v : values) {
        if constexpr (std::is_same_v<T, std::string>)
            put_string(metadata_, v);
        else
            put(metadata_, v);
    }
}

void GgufWriter::add(std::string_view key, uint32_t value) {
    put_key(key, uint32_type);
    put(metadata_, value);
}
void GgufWriter::add(std::string_view key, float value) {
    put_key(key, float_type);
    put(metadata_, value);
}
void GgufWriter::add(std::string_view key, bool value) {
    put_key(key, bool_type);
    put(metadata_, uint8_t(value));
}
void GgufWriter::add(std::string_view key, std::string_view value) {
    put_key(key, string_type);
    put_string(metadata_, value);
}
void GgufWriter::add(std::string_view key, std::span<const std::string> values) {
    put_array(key, string_type, values);
}
void GgufWriter::add(std::string_view key, std::span<const int32_t> values) {
    put_array(key, int32_type, values);
}
void GgufWriter::add(std::string_view key, std::span<const float> values) {
    put_array(key, float_type, values);
}

void GgufWriter::copy(std::string_view key, const GgufValue& value) {
    const auto add_value = [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>)
            add(key, v);
        else if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, uint64_t>)
            add(key, uint32_t(v));
        else if constexpr (std::is_same_v<T, double>)
            add(key, float(v));
        else if constexpr (std::is_same_v<T, std::string>)
            add(key, std::string_view(v));
        else if constexpr (std::is_same_v<T, std::vector<float>> ||
                           std::is_same_v<T, std::vector<std::string>>)
            add(key, std::span(v));
        else if constexpr (!std::is_same_v<T, std::monostate>)
            add(key, std::span<const int32_t>(std::vector<int32_t>(v.begin(), v.end())));
    };
    std::visit(add_value, value);
}

void GgufWriter::add_tensor(std::string name, TensorType type, std::span<const uint64_t> shape) {
    GgufTensor t;
    t.name = std::move(name);
    t.type = type;
    t.n_dims = uint32_t(shape.size());
    for (size_t i = 0; i < shape.size(); ++i) t.shape.at(i) = shape[i];
    auto bytes = row_bytes(type, t.shape[0]);
    for (size_t i = 1; bytes && i < t.shape.size(); ++i) bytes = checked_mul(*bytes, t.shape[i]);
    if (!bytes || !checked_align(data_bytes_ + *bytes, alignment))
        fail(ErrorCode::internal, "tensor {} cannot have the shape {} in {}", t.name, t.shape_text(),
             info(type).name);
    t.offset = data_bytes_;
    t.n_bytes = *bytes;
    data_bytes_ = align(data_bytes_ + *bytes);
    tensors_.push_back(std::move(t));
}

std::string GgufWriter::header() const {
    std::string out = "GGUF";
    put(out, uint32_t(3));
    put(out, uint64_t(tensors_.size()));
    put(out, n_values_);
    out += metadata_;
    for (const GgufTensor& t : tensors_) {
        put_string(out, t.name);
        put(out, t.n_dims);
        for (uint32_t i = 0; i < t.n_dims; ++i) put(out, t.shape[i]);
        put(out, uint32_t(t.type));
        put(out, t.offset);
    }
    out.resize(align(out.size()), '\0');
    return out;
}

}  // namespace sluice
