# Flags that every target of Sluice shares: warnings, sanitizers.
add_library(sluice_flags INTERFACE)
target_compile_options(sluice_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wundef -Wnon-virtual-dtor
                                              -Wno-psabi $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
# g++ 12 warns of overlapping copies inside its own std::string for "literal" + string (GCC bug 105651).
target_compile_options(sluice_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
target_include_directories(sluice_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)

if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
endif()
if(SLUICE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "SLUICE_FUZZ needs clang; configure with -DCMAKE_CXX_COMPILER=clang++")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# For code that is compiled more often than it takes time: the program around the library, and tests.
set(SLUICE_QUICK_TO_COMPILE -O1)
if(SLUICE_SANITIZE)
  set(SLUICE_QUICK_TO_COMPILE -O0)
endif()
# For what no fuzz target enters.
set(SLUICE_NOT_FUZZED)
if(SLUICE_FUZZ)
  set(SLUICE_NOT_FUZZED -fno-sanitize=fuzzer-no-link)
endif()
