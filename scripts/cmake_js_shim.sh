#!/bin/sh
# prebuildify calls this in place of node-gyp, in the folder whose build/Release it then takes the binaries from. Its
# arguments are node-gyp's and say nothing to CMake; scripts/prebuilds.mjs leaves ours in GMR_CMAKE_ARGUMENTS.
root=$(dirname "$0")/..
# shellcheck disable=SC2086 # one word an argument
exec node "$root/node_modules/cmake-js/bin/cmake-js" rebuild --directory "$root" --out "$PWD/build" --parallel 2 $GMR_CMAKE_ARGUMENTS
