# A room is a folder of src/, compiled once. Which rooms a room may include is checked by scripts/check-rooms; see
# docs/architecture.md.

# sluice_room(NAME [SUBFOLDER...]): every .cpp directly in the room and in the subfolders named.
function(sluice_room name)
  set(patterns ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  foreach(sub IN LISTS ARGN)
    list(APPEND patterns ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${sub}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  if(NOT sources)
    return()
  endif()
  add_library(sluice_${name} OBJECT ${sources})
  sluice_unity(sluice_${name})
  target_link_libraries(sluice_${name} PRIVATE sluice_flags fmt::fmt nlohmann_json::nlohmann_json PkgConfig::PCRE2 PkgConfig::LIBURING)
  target_sources(sluice PRIVATE $<TARGET_OBJECTS:sluice_${name}>)
endfunction()

# sluice_processor_runs(ISA RESULT): whether the processor of this machine has an instruction set; yes if that is unknown.
function(sluice_processor_runs isa result)
  set(needs_avxvnni avx_vnni)
  set(needs_avx512 avx512_vnni)
  set(runs TRUE)
  if(DEFINED needs_${isa} AND EXISTS /proc/cpuinfo)
    file(STRINGS /proc/cpuinfo flags REGEX "^flags" LIMIT_COUNT 1)
    if(flags AND NOT flags MATCHES " ${needs_${isa}}( |$)")
      set(runs FALSE)
    endif()
  endif()
  set(${result} ${runs} PARENT_SCOPE)
endfunction()

# sluice_kernel_isa(ISA FLAG...): the portable kernels compiled for one instruction set, chosen at run time. These
# objects must not share inline functions with the rest of the program (scripts/check-isa), hence no std:: in them.
function(sluice_kernel_isa isa)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/portable/*.cpp)
  add_library(sluice_kernels_${isa} OBJECT ${sources})
  target_link_libraries(sluice_kernels_${isa} PRIVATE sluice_flags)
  target_compile_options(sluice_kernels_${isa} PRIVATE ${ARGN} -O3 -fno-math-errno -fno-trapping-math ${SLUICE_NOT_FUZZED})
  # Unrolled loops with checks take a compiler minutes at -O3, and nothing of a fuzzer's input steers them.
  if(SLUICE_SANITIZE)
    target_compile_options(sluice_kernels_${isa} PRIVATE -O1)
    # Checks of each pointer's arithmetic and of null are half and more of what clang compiles here. The plain kernels
    # have them; in the others an access that such a pointer leads to is still the address sanitizer's. Where the
    # processor cannot run an instruction set at all, no sanitizer can find anything in it.
    sluice_processor_runs(${isa} runs)
    if(NOT runs)
      target_compile_options(sluice_kernels_${isa} PRIVATE -fno-sanitize=all)
    elseif(NOT isa STREQUAL plain)
      target_compile_options(sluice_kernels_${isa} PRIVATE -fno-sanitize=pointer-overflow,null)
    endif()
  endif()
  # GCC 12 takes the undefined operands of its own AVX-512 intrinsics for a mistake (GCC bug 105593).
  target_compile_options(sluice_kernels_${isa} PRIVATE "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-uninitialized>")
  target_compile_definitions(sluice_kernels_${isa} PRIVATE SLUICE_ISA=${isa})
  target_sources(sluice PRIVATE $<TARGET_OBJECTS:sluice_kernels_${isa}>)
endfunction()
