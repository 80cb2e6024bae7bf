package main

import (
	_ "embed"
	"text/template"
)

var (
	//go:embed templates/override.go.tmpl
	overrideText string
	//go:embed templates/proof_test.go.tmpl
	proofText string

	overrideTemplate = template.Must(template.New("override").Parse(overrideText))
	proofTemplate    = template.Must(template.New("proof").Parse(proofText))
)
