# The project's commands; the work is in scripts/. PYTHON=/path/to/python3 picks the interpreter.
export PYTHON

.PHONY: demo test bench wheel gpu-kit format clean

demo:  ## build, simulate a shop, segment its customers, write demo-out/out/report.html
	@scripts/demo.sh

test:  ## build and run every test and check
	@scripts/test.sh

bench:  ## time this engine and its peers side by side
	@scripts/bench.sh

wheel:  ## a wheel for this Python in dist/, for every GPU architecture that ships
	@scripts/wheel.sh

gpu-kit:  ## dist/coterie-gpu-kit.tar.gz: tests/gpu/verify and what it needs on a machine with a GPU
	@scripts/gpu_kit.sh

format:  ## format C++ and Python in place
	@scripts/format.sh

clean:  ## forget what was built; .venv stays
	rm -rf build dist demo-out python/coterie/*.so
