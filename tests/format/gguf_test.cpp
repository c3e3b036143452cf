#include "format/gguf.h"

#include <chrono>
#include <random>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fail.h"
#include "gguf_writer.h"

namespace sluice {
namespace {

using test::GgufWriter;
using test::parse;

std::string sentence(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& e) {
        return e.what();
    }
    return "(no error)";
}

GgufWriter small() {
    GgufWriter w;
    w.text("general.architecture", "llama");
    w.u32("general.alignment", 32);
    w.tensor("a.weight", {64, 3});
    w.tensor("b.weight", {256, 2}, TensorType::Q4_K);
    w.tensor("c.bias", {5});
    return w;
}

TEST(Gguf, ReadsMetadataOfEveryType) {
    GgufWriter w;
    w.number("u8", 0, uint8_t(200));
    w.number("i8", 1, int8_t(-100));
    w.number("u16", 2, uint16_t(60000));
    w.number("i16", 3, int16_t(-30000));
    w.u32("u32", 4000000000u);
    w.number("i32", 5, int32_t(-2000000000));
    w.f32("f32", 1.5f);
    w.number("bool", 7, uint8_t(1));
    w.text("string", "grün");
    w.number("u64", 10, uint64_t(1) << 63);
    w.number("i64", 11, int64_t(-1) << 62);
    w.number("f64", 12, 0.1);
    w.array<int32_t>("ints", 5, {1, -2, 3});
    w.array<float>("floats", 6, {0.5f, 2});
    w.texts("texts", {"a", "", "b"});
    w.raw("nested", 9, [] {
        std::string s;  // an array of one array of two bytes
        GgufWriter::put(s, uint32_t(9)), GgufWriter::put(s, uint64_t(1)), GgufWriter::put(s, uint32_t(0)),
            GgufWriter::put(s, uint64_t(2));
        return s + "xy";
    }());
    for (const uint32_t version : {2u, 3u}) {
        w.version = version;
        const GgufFile f = parse(w.bytes());
        const GgufMetadata& m = f.metadata();
        EXPECT_EQ(f.version(), version);
        EXPECT_EQ(m.get_uint("u8"), 200u);
        EXPECT_EQ(m.get_int("i8", 0), -100);
        EXPECT_EQ(m.get_uint("u16"), 60000u);
        EXPECT_EQ(m.get_int("i16", 0), -30000);
        EXPECT_EQ(m.get_uint("u32"), 4000000000u);
        EXPECT_EQ(m.get_int("i32", 0), -2000000000);
        EXPECT_EQ(m.get_float("f32"), 1.5);
        EXPECT_EQ(m.get_float("u8"), 200);
        EXPECT_TRUE(m.get_bool("bool", false));
        EXPECT_EQ(m.get_string("string"), "grün");
        EXPECT_EQ(m.get_uint("u64"), 1ull << 63);
        EXPECT_EQ(m.get_int("i64", 0), int64_t(-1) << 62);
        EXPECT_EQ(m.get_float("f64"), 0.1);
        EXPECT_EQ(*m.find_ints("ints"), (std::vector<int64_t>{1, -2, 3}));
        EXPECT_EQ(*m.find_floats("floats"), (std::vector<float>{0.5f, 2}));
        EXPECT_EQ(*m.find_strings("texts"), (std::vector<std::string>{"a", "", "b"}));
        EXPECT_TRUE(std::holds_alternative<std::monostate>(*m.find("nested")));
        EXPECT_NE(sentence([&] {
                      m.get_uint("string");
                  }).find("expected string to be an unsigned integer, found a string"),
                  std::string::npos);
        EXPECT_NE(sentence([&] { m.get_uint("i8"); }).find("i8"), std::string::npos);
        EXPECT_NE(sentence([&] { m.get_string("missing"); }).find("missing"), std::string::npos);
    }
}

TEST(Gguf, PlacesTensors) {
    const GgufFile f = parse(small().bytes());
    ASSERT_EQ(f.tensors().size(), 3u);
    const GgufTensor& b = *f.find("b.weight");
    EXPECT_EQ(b.type, TensorType::Q4_K);
    EXPECT_EQ(b.n_bytes, 288u);
    EXPECT_EQ(b.shape_text(), "256 x 2");
    EXPECT_EQ(b.offset, f.shards()[0].data_offset + 64 * 3 * 4);
    EXPECT_EQ(f.shards()[0].data_offset % 32, 0u);
    EXPECT_EQ(f.find("nobody"), nullptr);
}

TEST(Gguf, HonoursItsAlignment) {
    GgufWriter w;
    w.alignment = 4096;
    w.u32("general.alignment", 4096);
    w.tensor("a", {4});
    w.tensor("b", {4});
    const GgufFile f = parse(w.bytes());
    EXPECT_EQ(f.find("a")->offset % 4096, 0u);
    EXPECT_EQ(f.find("b")->offset, f.find("a")->offset + 4096);
}

struct Malformed {
    const char* what;
    std::function<std::string()> bytes;
    const char* words;  // of the sentence
};

std::string with(const std::function<void(GgufWriter&)>& change) {
    GgufWriter w = small();
    change(w);
    return w.bytes();
}

TEST(Gguf, EveryMalformedFileGetsASentence) {
    const Malformed cases[] = {
        {"empty", [] { return std::string(); }, "found only 0 bytes"},
        {"magic", [] { return with([](auto& w) { w.magic = "GGML"; }); },
         "expected the magic \"GGUF\" at byte 0, found \"GGML\""},
        {"version 1", [] { return with([](auto& w) { w.version = 1; }); },
         "expected GGUF version 2 or 3, found 1"},
        {"version 9", [] { return with([](auto& w) { w.version = 9; }); }, "found 9"},
        {"big endian", [] { return with([](auto& w) { w.version = 3u << 24; }); }, "big-endian"},
        {"alignment",
         [] {
             return with([](auto& w) {
                 w = GgufWriter();
                 w.u32("general.alignment", 24);
             });
         },
         "power of two"},
        {"alignment 0",
         [] {
             return with([](auto& w) {
                 w = GgufWriter();
                 w.u32("general.alignment", 0);
             });
         },
         "found 0"},
        {"double key", [] { return with([](auto& w) { w.u32("general.alignment", 32); }); },
         "general.alignment twice"},
        {"empty key", [] { return with([](auto& w) { w.u32("", 1); }); }, "empty"},
        {"value type", [] { return with([](auto& w) { w.raw("x", 13, ""); }); }, "from 0 to 12"},
        {"bool", [] { return with([](auto& w) { w.number("x", 7, uint8_t(2)); }); }, "to be 0 or 1, found 2"},
        {"string too long",
         [] { return with([](auto& w) { w.raw("x", 8, std::string(7, '\xff') + '\x7f'); }); },
         "for a string"},
        {"array too long",
         [] {
             return with([](auto& w) {
                 w.raw("x", 9, std::string("\4\0\0\0", 4) + std::string(7, '\xff') + '\x7f');
             });
         },
         "array entries"},
        {"array type",
         [] { return with([](auto& w) { w.raw("x", 9, std::string("\x63\0\0\0\0\0\0\0\0\0\0\0", 12)); }); },
         "array type"},
        {"nested too deep",
         [] {
             return with([](auto& w) {
                 std::string s;
                 for (int i = 0; i < 50; ++i)
                     GgufWriter::put(s, uint32_t(9)), GgufWriter::put(s, uint64_t(1));
                 w.raw("x", 9, s);
             });
         },
         "nested"},
        {"no name", [] { return with([](auto& w) { w.tensors[0].name = ""; }); }, "empty"},
        {"double name", [] { return with([](auto& w) { w.tensors[1].name = "a.weight"; }); },
         "a.weight twice"},
        {"no dimensions", [] { return with([](auto& w) { w.tensors[0].shape = {}; }); },
         "1 to 4 dimensions, found 0"},
        {"five dimensions", [] { return with([](auto& w) {
                                     w.tensors[0].shape = {1, 1, 1, 1, 1};
                                 }); },
         "found 5"},
        {"zero dimension", [] { return with([](auto& w) {
                                    w.tensors[0].shape = {64, 0};
                                }); }, "found 0"},
        {"overflow",
         [] { return with([](auto& w) {
                  w.tensors[0].shape = {1u << 31, 1u << 31, 1u << 31};
              }); },
         "63 bits"},
        {"huge dimension", [] { return with([](auto& w) { w.tensors[0].shape = {1ull << 60}; }); }, "2^32"},
        {"type", [] { return with([](auto& w) { w.tensors[0].type = 99; }); }, "type 99"},
        {"removed type", [] { return with([](auto& w) { w.tensors[0].type = 4; }); }, "type 4"},
        {"half a block", [] { return with([](auto& w) {
                                  w.tensors[1].shape = {255, 2};
                              }); },
         "Q4_K blocks of 256, found 255"},
        {"misaligned", [] { return with([](auto& w) { w.tensors[1].offset = 776; }); },
         "multiple of 32, found 776"},
        {"past the end",
         [] {
             auto b = small().bytes();
             b.resize(b.size() - 32);
             return b;
         },
         "cut off"},
        {"offset past the end",
         [] {
             auto w = small();
             auto b = w.bytes();
             w.tensors[2].offset = 1ll << 40;
             auto h = w.bytes(false);
             return h + b.substr(h.size());
         },
         "found offset"},
        {"offset overflow",
         [] {
             auto w = small();
             auto b = w.bytes();
             w.tensors[2].offset = INT64_MAX / 32 * 32;
             auto h = w.bytes(false);
             return h + b.substr(h.size());
         },
         "found offset"},
        {"overlap",
         [] {
             return with([](auto& w) {
                 w.tensors[1].offset = 32;
                 w.tensors[2].offset = 1088;
             });
         },
         "overlap"},
        {"control characters",
         [] {
             return with([](auto& w) {
                 w.tensors[0].name = "\x1b[31m";
                 w.tensors[0].type = 99;
             });
         },
         "\\x1b[31m"},
    };
    for (const auto& c : cases) {
        const std::string s = sentence([&] { parse(c.bytes()); });
        EXPECT_NE(s.find(c.words), std::string::npos) << c.what << ": " << s;
        EXPECT_TRUE(s.starts_with("test.gguf: ")) << c.what << ": " << s;
    }
}

TEST(Gguf, CountsThatTheFileCannotHoldAreRefusedBeforeAllocating) {
    for (const size_t field : {8u, 16u}) {
        std::string b = small().bytes();
        const uint64_t huge = UINT64_MAX / 2;
        std::memcpy(b.data() + field, &huge, 8);
        EXPECT_NE(sentence([&] { parse(b); }).find("counts"), std::string::npos);
    }
}

/// A file of a terabyte of zeros behind a few bytes: a sparse file costs nothing to make.
class Sparse : public ByteSource {
  public:
    explicit Sparse(std::string head) : head_(std::move(head)) {}
    uint64_t size() const override { return uint64_t(1) << 40; }
    void read(uint64_t offset, std::span<std::byte> into) override {
        std::memset(into.data(), 0, into.size());
        if (offset < head_.size())
            std::memcpy(into.data(), head_.data() + offset,
                        std::min<uint64_t>(into.size(), head_.size() - offset));
    }

  private:
    std::string head_;
};

TEST(Gguf, WhatASparseFileHasRoomForIsStillBoundedByRealHeaders) {
    const auto parse_sparse = [](std::string head) {
        Sparse bytes(std::move(head));
        return GgufFile::parse(bytes, "test.gguf");
    };
    const auto number = [](uint64_t n) { return std::string(reinterpret_cast<const char*>(&n), sizeof n); };
    const auto head = [&](uint64_t tensors, uint64_t values) {
        return "GGUF" + std::string("\3\0\0\0", 4) + number(tensors) + number(values);
    };
    const std::string string_type("\x08\0\0\0", 4), array_type("\x09\0\0\0", 4);
    const std::string key = number(1) + "k";
    EXPECT_NE(sentence([&] {
                  parse_sparse(head(1, 1) + key + string_type + number(uint64_t(1) << 39));
              }).find("header to end within"),
              std::string::npos);
    EXPECT_NE(sentence([&] {
                  parse_sparse(head(1, 1) + key + array_type + string_type + number(uint64_t(1) << 36));
              }).find("expected at most"),
              std::string::npos);
    EXPECT_NE(sentence([&] { parse_sparse(head(uint64_t(1) << 33, 0)); }).find("tensor"), std::string::npos);
}

TEST(Gguf, TruncationAtEveryByteIsAnError) {
    const std::string whole = small().bytes();
    const uint64_t end = parse(whole).find("c.bias")->offset + 20;  // the padding after it is not needed
    for (size_t n = 0; n < whole.size(); ++n) {
        if (n >= end)
            EXPECT_NO_THROW(parse(whole.substr(0, n)));
        else
            EXPECT_THROW(parse(whole.substr(0, n)), Error) << n;
    }
}

TEST(Gguf, FlippedBytesNeverCrash) {
    const std::string whole = small().bytes();
    std::mt19937 random(1);
    int refused = 0;
    for (int i = 0; i < 20000; ++i) {
        std::string b = whole;
        for (uint32_t n = 1 + random() % 3; n; --n) b[random() % b.size()] = char(random());
        try {
            parse(b);
        } catch (const Error&) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 1000);
}

class Folder : public testing::Test {
  protected:
    void SetUp() override {
        dir = std::filesystem::temp_directory_path() / ("sluice-gguf-" + std::to_string(getpid()));
        std::filesystem::remove_all(dir);
        std::filesystem::create_directories(dir);
    }
    void TearDown() override { std::filesystem::remove_all(dir); }

    std::filesystem::path name(int n, int count = 3) const {
        return dir / fmt::format("model-{:05}-of-{:05}.gguf", n, count);
    }
    GgufWriter shard(int n, int count = 3) const {
        GgufWriter w;
        w.text("general.architecture", "llama");
        w.number("split.no", 2, uint16_t(n - 1));
        w.number("split.count", 2, uint16_t(count));
        w.number("split.tensors.count", 5, int32_t(count));
        w.tensor("t" + std::to_string(n), {uint64_t(32 * n)});
        return w;
    }
    void write_set() {
        for (int n = 1; n <= 3; ++n) shard(n).write(name(n));
    }
    std::string open_first() {
        return sentence([&] { GgufFile::open(name(1)); });
    }
    std::filesystem::path dir;
};

TEST_F(Folder, ASetIsOpenedByItsFirstShard) {
    write_set();
    const GgufFile f = GgufFile::open(name(1));
    EXPECT_EQ(f.shards().size(), 3u);
    EXPECT_EQ(f.tensors().size(), 3u);
    EXPECT_EQ(f.find("t3")->shard, 2u);
    EXPECT_EQ(f.find("t3")->n_bytes, 32u * 3 * 4);
}

TEST_F(Folder, AnotherShardNamesTheFirst) {
    write_set();
    EXPECT_NE(
        sentence([&] { GgufFile::open(name(2)); }).find("open the first one, model-00001-of-00003.gguf"),
        std::string::npos);
}

TEST_F(Folder, AMissingShardIsNamed) {
    write_set();
    std::filesystem::remove(name(2));
    EXPECT_NE(open_first().find("model-00002-of-00003.gguf is missing"), std::string::npos);
}

TEST_F(Folder, ADoubledShardIsNamed) {
    write_set();
    shard(1).write(name(3));
    EXPECT_NE(open_first().find("model-00003-of-00003.gguf"), std::string::npos);
    EXPECT_NE(open_first().find("doubled"), std::string::npos);
    GgufWriter same = shard(3);
    same.tensors[0].name = "t2";
    same.write(name(3));
    EXPECT_NE(open_first().find("t2 in model-00002-of-00003.gguf too"), std::string::npos);
}

TEST_F(Folder, AForeignShardIsNamed) {
    write_set();
    shard(2, 5).write(name(2));
    EXPECT_NE(open_first().find("model-00002-of-00003.gguf"), std::string::npos);
    EXPECT_NE(open_first().find("foreign"), std::string::npos);
    GgufWriter other;
    other.text("general.architecture", "qwen2");
    other.number("split.no", 2, uint16_t(1));
    other.number("split.count", 2, uint16_t(3));
    other.tensor("t2", {32});
    other.write(name(2));
    EXPECT_NE(open_first().find("qwen2"), std::string::npos);
}

TEST_F(Folder, WhatIsNoFileIsSaid) {
    EXPECT_NE(sentence([&] { GgufFile::open(dir); }).find("a folder"), std::string::npos);
    EXPECT_NE(sentence([&] { GgufFile::open(dir / "nobody.gguf"); }).find("No such file"), std::string::npos);
    const auto fifo = dir / "fifo.gguf";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_NE(sentence([&] { GgufFile::open(fifo); }).find("no regular file"), std::string::npos);
}

TEST_F(Folder, ALargeSetOpensAtOnce) {
    // 212 GB in five shards, 1,025 tensors, a vocabulary of 128k tokens. The files are holes: only headers
    // are written.
    std::vector<std::string> tokens;
    for (int i = 0; i < 128000; ++i) tokens.push_back("token" + std::to_string(i));
    for (int s = 1; s <= 5; ++s) {
        GgufWriter w;
        w.text("general.architecture", "deepseek2");
        w.number("split.no", 2, uint16_t(s - 1));
        w.number("split.count", 2, uint16_t(5));
        if (s == 1) w.texts("tokenizer.ggml.tokens", tokens);
        for (int t = 0; t < 205; ++t)
            w.tensor(fmt::format("s{}.t{}", s, t), {7168, 2048, 43}, TensorType::Q2_K);
        const std::string head = w.bytes(false);
        std::ofstream(name(s, 5), std::ios::binary) << head;
        std::filesystem::resize_file(name(s, 5),
                                     head.size() + 205ull * *row_bytes(TensorType::Q2_K, 7168) * 2048 * 43);
    }
    const auto begin = std::chrono::steady_clock::now();
    const GgufFile f = GgufFile::open(name(1, 5));
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 1.0);
    EXPECT_EQ(f.tensors().size(), 1025u);
    EXPECT_GT(f.total_bytes(), 212'000'000'000u);
}

}  // namespace
}  // namespace sluice
