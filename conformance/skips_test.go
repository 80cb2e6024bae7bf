package main

import (
	"strings"
	"testing"
)

func TestSkipFileParses(t *testing.T) {
	if _, err := parseSkips(skipFile); err != nil {
		t.Errorf("parseSkips(skips.txt) = %v, want no error", err)
	}
}

func TestParseSkipsErrors(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"no reason", "feed ./balancer/lazy Test/A", "skips.txt:1"},
		{"unknown override", "fead ./balancer/lazy Test/A because", `override "fead"`},
		{"not a regular expression", "feed ./balancer/lazy Test/( because", `pattern "Test/("`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseSkips(tt.line)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parseSkips(%q) = %v, want an error with %q", tt.line, err, tt.want)
			}
		})
	}
}

func TestSkipsApplyToTheirOverride(t *testing.T) {
	list, err := parseSkips(`
# a comment
feed       ./balancer/lazy  Test/A      one
plugins    ./balancer/lazy  Test/B      two
pick_first ./balancer/lazy  Test/C(x)?  three
pick_first ./test           Test/D      four`)
	if err != nil {
		t.Fatal(err)
	}
	pickFirst, roundRobin := plugins[0], plugins[1]
	tests := []struct {
		name     string
		override override
		want     string
	}{
		{"the feed", override{overrideFeed, plugins}, "^(Test)$/^(A)$"},
		{"a plugin for round_robin", override{overridePlugins, []plugin{roundRobin}}, "^(Test)$/^(B)$"},
		{"a plugin for pick_first", override{overridePlugins, []plugin{pickFirst}}, "^(Test)$/^(B)$|^(Test)$/^(C(x)?)$"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := list.forOverride(&tt.override).pattern("./balancer/lazy"); got != tt.want {
				t.Errorf("pattern = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSkipMatchesWholeNames(t *testing.T) {
	list, err := parseSkips("feed ./balancer/lazy Test/A reads a hook")
	if err != nil {
		t.Fatal(err)
	}
	for test, want := range map[string]bool{
		"Test/A": true, "Test/A/sub": true, "Test/AB": false, "Test": false, "TestX/A": false,
	} {
		if got := list.find("./balancer/lazy", test) != nil; got != want {
			t.Errorf("find(%s) = %v, want %v", test, got, want)
		}
	}
	if list.find("./balancer", "Test/A") != nil {
		t.Error("find matched in another package")
	}
}
