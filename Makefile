# Forwards only: tools/ and Meson do the work.
#
#   make run     build and run the main job on the embedded database
#   make test    everything: unit, conformance, faults, crashes, sanitizers
#   make check   the quick form
#   make bench   side by side with what people use today

.PHONY: all run test check bench deps clean

all:
	@tools/build.sh build

run:
	@tools/run.sh

test:
	@tools/test.sh full

check:
	@tools/test.sh quick

bench:
	@tools/bench.sh

deps:
	@tools/deps.sh test bench

clean:
	rm -rf build build-*
