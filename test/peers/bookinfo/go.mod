module github.com/aeraki-mesh/aeraki/test/peers/bookinfo

go 1.26
