# Files of one folder are compiled together, some at a time: most of a file's time goes into headers and templates that
# it shares with its neighbours (nlohmann::json above all). Few at a time, so that a change of one file stays quick;
# more in builds made once, as CI's. The kernels of an instruction set are never compiled with anything else.
set(SLUICE_UNITY_FILES 6 CACHE STRING "At most so many files are compiled together; 1: each by itself")

# sluice_unity(TARGET): by folder, because the files of a folder agree on what names mean. To be called once the target
# has all sources of the present directory.
function(sluice_unity target)
  if(SLUICE_UNITY_FILES LESS 2)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    get_filename_component(folder ${source} DIRECTORY)
    get_filename_component(folder ${folder} NAME)
    math(EXPR n "0${n_${folder}}")
    math(EXPR n_${folder} "${n} + 1")
    math(EXPR group "${n} / ${SLUICE_UNITY_FILES}")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder}_${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()
