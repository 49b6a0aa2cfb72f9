// Boost.Beast is compiled once, here; everybody else sees its declarations (BOOST_BEAST_SEPARATE_COMPILATION).
#include <boost/beast/src.hpp>
