// Real faults under a model that streams: files cut, written to, replaced or deleted while it runs, and
// mirrors that help, lie or vanish. An error for that request or the right bits; never a wrong token.
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>

#include "sluice/engine.h"
#include "sluice/error.h"

#include "synthetic_model.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;
using test::least_budget;
using test::outcome_of;
using test::same_bits;

constexpr uint32_t prompt_batch = 16;

class Faults : public testing::Test {
  protected:
    Faults() {
        fs::create_directories(folder / "own");
        fs::create_directories(folder / "mirror");
        fs::copy_file(test::synthetic(), model);
        options.threads = 2, options.context = 256, options.batch = prompt_batch;
        static const uint64_t least = least_budget(test::synthetic(), options);
        options.ram_bytes = least;
    }
    void TearDown() override { fs::remove_all(folder); }

    void copy_to_mirror() { fs::copy_file(model, mirrored); }
    static void write_byte(const fs::path& path, uint64_t at) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(std::streamoff(at));
        const char old = char(file.get());
        file.seekp(std::streamoff(at));
        file.put(char(old ^ 0x55));
    }
    std::string error_of(const std::function<void()>& act) {
        try {
            act();
        } catch (const Error& e) {
            EXPECT_TRUE(e.code() == ErrorCode::io || e.code() == ErrorCode::invalid_file ||
                        e.code() == ErrorCode::invalid_argument)
                << e.what();
            return e.what();
        }
        ADD_FAILURE() << "nothing was thrown";
        return "";
    }

    const fs::path folder =
        fs::path(SLUICE_TEST_TMP) / ("faults-" + std::to_string(getpid()) + "-" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    const fs::path model = folder / "own" / "model.gguf", mirrored = folder / "mirror" / "model.gguf";
    EngineOptions options;
};

TEST_F(Faults, AFileThatIsCutIsAnErrorThatNamesItAndTheEngineLives) {
    const Engine engine = Engine::open(model.string(), options);
    const auto good = outcome_of(engine, prompt_batch);
    const uint64_t size = fs::file_size(model);
    fs::resize_file(model, size / 2);
    for (int i = 0; i < 3; ++i) {
        const std::string what = error_of([&] { outcome_of(engine, prompt_batch); });
        EXPECT_NE(what.find("model.gguf"), std::string::npos) << what;
    }
    EXPECT_GT(good.logits.size(), 0u);
}

TEST_F(Faults, AFileThatIsWrittenToIsAnErrorNotAWrongToken) {
    const Engine engine = Engine::open(model.string(), options);
    outcome_of(engine, prompt_batch);
    Session session(engine, {.context = 256, .batch = prompt_batch});
    const std::vector<TokenId> prompt = {1, 2, 3};
    session.prefill(prompt);
    write_byte(model, fs::file_size(model) - 100);
    const TokenId next = 5;
    const std::string what = error_of([&] { session.append({&next, 1}); });
    EXPECT_NE(what.find("written to"), std::string::npos) << what;
    EXPECT_EQ(session.tokens().size(), 3u);  // the token does not count as computed
}

TEST_F(Faults, AFileThatIsReplacedOrDeletedIsStillTheOneThatWasOpened) {
    const Engine engine = Engine::open(model.string(), options);
    const auto good = outcome_of(engine, prompt_batch);
    std::ofstream(folder / "other") << "another model";
    fs::rename(folder / "other", model);
    EXPECT_TRUE(same_bits(outcome_of(engine, prompt_batch).logits, good.logits));
    fs::remove(model);
    EXPECT_TRUE(same_bits(outcome_of(engine, prompt_batch).logits, good.logits));
}

TEST_F(Faults, AMirrorHelpsAndDoesNotChangeABit) {
    const auto good = outcome_of(Engine::open(model.string(), options), prompt_batch);
    copy_to_mirror();
    options.mirrors = {(folder / "mirror").string()};
    for (const char* io : {"auto", "pread", "buffered"}) {
        options.io = io;
        const Engine engine = Engine::open(model.string(), options);
        EXPECT_EQ(engine.info().io.rfind("2 drives: ", 0), 0u) << engine.info().io;
        EXPECT_TRUE(same_bits(outcome_of(engine, prompt_batch).logits, good.logits)) << io;
        EXPECT_TRUE(engine.take_notices().empty());
    }
    options.io = "mmap";
    error_of([&] { Engine::open(model.string(), options); });
}

TEST_F(Faults, AMirrorThatVanishesIsDroppedWithANotice) {
    const auto good = outcome_of(Engine::open(model.string(), options), prompt_batch);
    copy_to_mirror();
    options.mirrors = {(folder / "mirror").string()};
    const Engine engine = Engine::open(model.string(), options);
    outcome_of(engine, prompt_batch);
    fs::resize_file(mirrored, 4096);
    EXPECT_TRUE(same_bits(outcome_of(engine, prompt_batch).logits, good.logits));
    const auto notices = engine.take_notices();
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_NE(notices[0].find((folder / "mirror").string()), std::string::npos) << notices[0];
    // What comes back later is not trusted.
    fs::resize_file(mirrored, fs::file_size(model));
    EXPECT_TRUE(same_bits(outcome_of(engine, prompt_batch).logits, good.logits));
}

TEST_F(Faults, AMirrorThatIsNoCopyIsRefusedByName) {
    options.mirrors = {(folder / "mirror").string()};
    std::string what = error_of([&] { Engine::open(model.string(), options); });
    EXPECT_NE(what.find("none of its files"), std::string::npos) << what;
    copy_to_mirror();
    write_byte(mirrored, fs::file_size(model) - 7);  // the last block is always compared
    what = error_of([&] { Engine::open(model.string(), options); });
    EXPECT_NE(what.find("offset " + std::to_string(fs::file_size(model) - 7)), std::string::npos) << what;
    write_byte(mirrored, fs::file_size(model) - 7);
    fs::resize_file(mirrored, fs::file_size(model) + 1);
    what = error_of([&] { Engine::open(model.string(), options); });
    EXPECT_NE(what.find("bytes"), std::string::npos) << what;
    options.mirrors = {(folder / "own").string()};
    what = error_of([&] { Engine::open(model.string(), options); });
    EXPECT_NE(what.find("another folder"), std::string::npos) << what;
    options.mirrors = {(folder / "nowhere").string()};
    error_of([&] { Engine::open(model.string(), options); });
}

}  // namespace
}  // namespace sluice
