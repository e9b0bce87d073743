module github.com/aeraki-mesh/aeraki

go 1.26
