// libFuzzer target: any bytes as a GGUF file. What is accepted must keep the parser's promises.
#include <cstdlib>

#include "sluice/error.h"

#include "../format/gguf_writer.h"
#include "model/census.h"
#include "model/hparams.h"
#include "model/weights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace sluice;
    try {
        const GgufFile file = test::parse({reinterpret_cast<const char*>(data), size});
        for (const GgufTensor& t : file.tensors())
            if (t.offset + t.n_bytes > size || t.n_bytes == 0) std::abort();
        take_census(file, nullptr);
        const HyperParams params = HyperParams::from(file);
        ModelTensors::bind(file, params);
    } catch (const Error&) {
    }
    return 0;
}
