// Boost.Asio is compiled once, here; everybody else sees its declarations (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
