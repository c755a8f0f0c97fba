# Finds Eigen: the system's, or the one that the PyPI package cmeel-eigen brings.
find_package(Eigen3 3.4 CONFIG QUIET)
if(NOT Eigen3_FOUND)
  find_package(Python 3.11 COMPONENTS Interpreter QUIET)
  if(Python_FOUND)
    execute_process(
      COMMAND ${Python_EXECUTABLE} -c
              "from importlib.metadata import distribution as d; print(d('cmeel-eigen').locate_file('cmeel.prefix'))"
      OUTPUT_VARIABLE cmeel_prefix
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    find_package(Eigen3 3.4 CONFIG QUIET PATHS ${cmeel_prefix} NO_DEFAULT_PATH)
  endif()
endif()
if(NOT Eigen3_FOUND)
  message(FATAL_ERROR "Eigen 3.4 was not found: install Debian's libeigen3-dev or 'pip install cmeel-eigen'")
endif()
