// Writes GGUF files for tests: right ones, and wrong ones a field at a time.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "format/gguf.h"

namespace sluice::test {

class GgufWriter {
  public:
    uint32_t version = 3;
    std::string magic = "GGUF";
    uint64_t alignment = 32;

    struct Tensor {
        std::string name;
        std::vector<uint64_t> shape;
        uint32_t type = 0;
        uint64_t n_bytes = 0;
        int64_t offset = -1;  // relative to the data; -1: after the one before
    };
    std::vector<Tensor> tensors;

    void text(const std::string& key, const std::string& value) {
        entry(key, 8);
        put_string(metadata_, value);
    }
    void u32(const std::string& key, uint32_t value) { number(key, 4, value); }
    void f32(const std::string& key, float value) { number(key, 6, value); }
    template <typename T>
    void number(const std::string& key, uint32_t type, T value) {
        entry(key, type);
        put(metadata_, value);
    }
    template <typename T>
    void array(const std::string& key, uint32_t type, const std::vector<T>& values) {
        entry(key, 9);
        put(metadata_, type);
        put(metadata_, uint64_t(values.size()));
        for (const T& v : values) put(metadata_, v);
    }
    void texts(const std::string& key, const std::vector<std::string>& values) {
        entry(key, 9);
        put(metadata_, uint32_t(8));
        put(metadata_, uint64_t(values.size()));
        for (const auto& v : values) put_string(metadata_, v);
    }
    /// Raw bytes as the value of a key, for values that cannot be.
    void raw(const std::string& key, uint32_t type, const std::string& value) {
        entry(key, type);
        metadata_ += value;
    }
    void tensor(std::string name, std::vector<uint64_t> shape, TensorType type = TensorType::F32) {
        uint64_t n = *row_bytes(type, shape[0]);
        for (size_t i = 1; i < shape.size(); ++i) n *= shape[i];
        tensors.push_back({std::move(name), std::move(shape), uint32_t(type), n, -1});
    }

    /// Header, directory and zeroed data.
    std::string bytes(bool with_data = true) const {
        std::string out = magic;
        put(out, version);
        put(out, uint64_t(tensors.size()));
        put(out, n_values_);
        out += metadata_;
        uint64_t at = 0;
        for (const auto& t : tensors) {
            const uint64_t offset = t.offset >= 0 ? uint64_t(t.offset) : at;
            put_string(out, t.name);
            put(out, uint32_t(t.shape.size()));
            for (const uint64_t d : t.shape) put(out, d);
            put(out, t.type);
            put(out, offset);
            at = (offset + t.n_bytes + alignment - 1) / alignment * alignment;
        }
        out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
        if (with_data) out.resize(out.size() + at, '\0');
        return out;
    }
    void write(const std::filesystem::path& path) const {
        const std::string b = bytes();
        std::ofstream(path, std::ios::binary).write(b.data(), std::streamsize(b.size()));
    }

    template <typename T>
    static void put(std::string& out, T value) {
        char b[sizeof(T)];
        std::memcpy(b, &value, sizeof b);
        out.append(b, sizeof b);
    }
    static void put_string(std::string& out, const std::string& s) {
        put(out, uint64_t(s.size()));
        out += s;
    }

  private:
    void entry(const std::string& key, uint32_t type) {
        put_string(metadata_, key);
        put(metadata_, type);
        ++n_values_;
    }
    std::string metadata_;
    uint64_t n_values_ = 0;
};

class StringBytes : public ByteSource {
  public:
    explicit StringBytes(std::string_view bytes) : bytes_(bytes) {}
    uint64_t size() const override { return bytes_.size(); }
    void read(uint64_t offset, std::span<std::byte> out) override {
        std::memcpy(out.data(), bytes_.data() + offset, out.size());
    }

  private:
    std::string_view bytes_;
};

inline GgufFile parse(std::string_view bytes) {
    StringBytes source(bytes);
    return GgufFile::parse(source, "test.gguf");
}

}  // namespace sluice::test
