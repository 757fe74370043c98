# SPDX-License-Identifier: MIT
#
# Compiler options of the project's own code.
#   hakmem_options          interface target: dialect, warnings, include directories
#   hakmem_library_options  interface target: what the allocator's own objects need besides
# A test that compiles files of src/ itself (on a fake kernel) links hakmem_library_options too.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(hakmem_headers INTERFACE)
target_include_directories(hakmem_headers INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)

add_library(hakmem_options INTERFACE)
target_link_libraries(hakmem_options INTERFACE hakmem_headers)
# Empty, so that a file which says "#define _GNU_SOURCE" itself says the same.
target_compile_definitions(hakmem_options INTERFACE
  $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>
  $<$<BOOL:${HAKMEM_STRESS}>:HAK_STRESS=1>)
target_compile_options(hakmem_options INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wundef -Wwrite-strings -Wcast-align -Wcast-qual
  -Wformat=2 -Wimplicit-fallthrough -Wdouble-promotion
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes$<SEMICOLON>-Wold-style-definition>
  $<$<COMPILE_LANG_AND_ID:C,GNU>:-Wlogical-op$<SEMICOLON>-Wduplicated-cond>
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fsized-deallocation> # C++14, but not its default
  $<$<BOOL:${HAKMEM_WERROR}>:-Werror>)

add_library(hakmem_library_options INTERFACE)
target_link_libraries(hakmem_library_options INTERFACE hakmem_options)
target_compile_definitions(hakmem_library_options INTERFACE $<$<CONFIG:Release>:NDEBUG>)
target_compile_options(hakmem_library_options INTERFACE
  -fvisibility=hidden         # HAK_API is the only way out
  -fno-semantic-interposition # calls inside the library bind inside it
  -fno-plt
  -ftls-model=initial-exec    # no __tls_get_addr, which allocates; small enough for dlopen
  # The compiler must not take our malloc for the one that it knows: malloc + memset stays both.
  -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free)

# Sanitizers and coverage concern every object, the tests' too.
if(HAKMEM_SANITIZE)
  add_compile_options(-fsanitize=${HAKMEM_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HAKMEM_SANITIZE})
  if(HAKMEM_SANITIZE MATCHES "thread")
    add_compile_options(
      "$<$<COMPILE_LANGUAGE:C>:SHELL:-include ${CMAKE_CURRENT_LIST_DIR}/thread_sanitizer.h>")
  endif()
endif()
if(HAKMEM_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
