module github.com/evenkeel-grpc/evenkeel/conformance

go 1.26.0
