# Language level, warnings, arithmetic and sanitizers of every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

find_program(INFERON_CCACHE ccache)
if(INFERON_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${INFERON_CCACHE})
endif()

# One defined rounding everywhere: no contraction, FMA only where the source says so.
add_compile_options(-ffp-contract=off)

# One file that includes torch takes over 1 GB to compile: at most one at a time.
set_property(GLOBAL PROPERTY JOB_POOLS torch_compile=1)

add_library(inferon_warnings INTERFACE)
target_compile_options(inferon_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
                       -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers
                       $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # False alarms of g++ 12.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(inferon_warnings INTERFACE -Wthread-safety -Wno-missing-braces)
endif()

if(INFERON_SANITIZE)
  add_compile_options(-fsanitize=${INFERON_SANITIZE} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${INFERON_SANITIZE})
endif()
