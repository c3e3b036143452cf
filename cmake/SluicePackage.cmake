# Installation, find_package(sluice), and the Debian package.
