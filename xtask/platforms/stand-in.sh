#!/bin/sh
# Stands in for a C compiler and an archiver where Rust is only type-checked:
# makes the files that are asked for, empty.
while [ $# -gt 0 ]; do
    case "$1" in
        -E) echo clang ;;
        -o) shift; : > "$1" ;;
        *.a) : > "$1" ;;
    esac
    shift
done
