// Package decode turns YAML into the forms of package resource, strictly: an
// unknown field, a field that is there twice and a value of the wrong type are
// errors with their line, all of them at once.
package decode

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"
	networkingv1 "istio.io/api/networking/v1alpha3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	metarouterv1 "github.com/aeraki-mesh/aeraki/api/metaprotocol/v1alpha1"
	"github.com/aeraki-mesh/aeraki/internal/control/resource"
	"github.com/aeraki-mesh/aeraki/internal/diag"
)

// DefaultNamespace is the namespace of objects that name none.
const DefaultNamespace = "default"

// Document is one document of a file.
type Document struct {
	// Key is zero where the document does not say which object it is.
	Key resource.Key
	// Text is the document as it was read, Line its first line in the file.
	Text string
	Line int
	// Item is the object, nil where it is not valid within itself.
	Item *resource.Item
	// Foreign: an object of a kind that is not read.
	Foreign bool
	// Diagnostics tell what is wrong with the document.
	Diagnostics []diag.Diagnostic
}

// File decodes every document of a file. Documents with nothing in them are
// left out. firstLine is the number of the file's first line, usually 1.
func File(name string, data []byte, firstLine int) []Document {
	var docs []Document
	for _, part := range split(string(data), firstLine) {
		doc := Document{Text: part.text, Line: part.line}
		if doc.decode(name) {
			docs = append(docs, doc)
		}
	}
	return docs
}

type part struct {
	text string
	line int
}

// split cuts a stream at its document markers by itself, so that a document
// that does not parse costs no other.
func split(data string, line int) []part {
	current := part{line: line}
	var parts []part
	for _, l := range strings.SplitAfter(data, "\n") {
		if trimmed := strings.TrimRight(l, " \t\r\n"); trimmed == "---" || strings.HasPrefix(l, "--- ") {
			parts = append(parts, current)
			current = part{line: line + 1}
			if rest := strings.TrimPrefix(trimmed, "---"); strings.TrimSpace(rest) != "" && !strings.HasPrefix(strings.TrimSpace(rest), "#") {
				current = part{line: line, text: strings.Repeat(" ", 3) + rest + "\n"}
			}
		} else {
			current.text += l
		}
		line++
	}
	return append(parts, current)
}

// kind says how the spec of one kind is decoded and checked.
type kind struct {
	kind     resource.Kind
	versions []string
	decode   func(d *decoder, spec *yaml.Node) any
}

func kinds() []kind {
	istio := []string{"networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"}
	own := []string{metarouterv1.GroupVersion}
	return []kind{
		{resource.MetaRouter, own, decodeMetaRouter},
		{resource.ApplicationProtocol, own, decodeApplicationProtocol},
		{resource.ServiceEntry, istio, func(d *decoder, n *yaml.Node) any { return decodeProto(d, n, &networkingv1.ServiceEntry{}) }},
		{resource.WorkloadEntry, istio, func(d *decoder, n *yaml.Node) any { return decodeProto(d, n, &networkingv1.WorkloadEntry{}) }},
		{resource.DestinationRule, istio, func(d *decoder, n *yaml.Node) any { return decodeProto(d, n, &networkingv1.DestinationRule{}) }},
	}
}

func decodeMetaRouter(d *decoder, n *yaml.Node) any {
	r := metarouterv1.MetaRouter{}
	d.structure(n, &r.Spec, "spec")
	d.validated(func() []metarouterv1.FieldError { return r.Validate() })
	return &r.Spec
}

func decodeApplicationProtocol(d *decoder, n *yaml.Node) any {
	p := metarouterv1.ApplicationProtocol{}
	d.structure(n, &p.Spec, "spec")
	d.validated(func() []metarouterv1.FieldError { return p.Validate() })
	return &p.Spec
}

// decode fills the document from its text; false: there is nothing in it.
func (doc *Document) decode(file string) bool {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(doc.Text), &root); err != nil {
		line, message := yamlError(err, doc.Line)
		doc.Diagnostics = []diag.Diagnostic{{File: file, Line: doc.within(line), Severity: diag.Error, Reason: "BadYAML",
			Message: message, Next: "mend it; within {} and [], what has brackets is quoted"}}
		return true
	}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return false
	}
	d := &decoder{root: root.Content[0], offset: doc.Line - 1, budget: maxNodes}
	doc.object(d, file)
	for _, p := range d.problems {
		doc.Diagnostics = append(doc.Diagnostics, diag.Diagnostic{Object: doc.Key.Diag(), File: file, Line: doc.within(p.line),
			Field: p.field, Reason: p.reason, Message: p.message, Next: p.next, Severity: p.severity})
	}
	if diag.HasErrors(doc.Diagnostics) {
		doc.Item = nil
	}
	return true
}

// within keeps a line to the document: the parser counts the end of the text as
// one more line, and takes control characters for line ends that no editor does.
func (doc *Document) within(line int) int {
	last := doc.Line + strings.Count(strings.TrimSuffix(doc.Text, "\n"), "\n")
	return max(doc.Line, min(line, last))
}

// envelope is what all objects have around their spec.
type envelope struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              yaml.Node `json:"spec"`
	Status            yaml.Node `json:"status"`
}

func (doc *Document) object(d *decoder, file string) {
	var env envelope
	d.structure(d.root, &env, "")
	if env.Kind == "" || env.Name == "" {
		d.problem("", "NotAnObject", "every document needs apiVersion, kind, metadata.name and spec", "the document says no kind or no name")
		return
	}
	if env.Namespace == "" {
		env.Namespace = DefaultNamespace
	}
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return string(k.kind) == env.Kind })
	if i < 0 || !sameGroup(all[i].versions, env.APIVersion) {
		doc.notOurs(d, &env, i >= 0)
		return
	}
	doc.Key = resource.Key{Kind: resource.Kind(env.Kind), Namespace: env.Namespace, Name: env.Name}
	checkNames(d, &env)
	if !slices.Contains(all[i].versions, env.APIVersion) {
		d.problem("apiVersion", "UnknownVersion", "use "+strings.Join(all[i].versions, " or "), "%s has no version %q", env.Kind, env.APIVersion)
	}
	spec := all[i].decode(d, &env.Spec)
	doc.Item = &resource.Item{Spec: spec, Meta: resource.Meta{
		Key: doc.Key, Labels: env.Labels, Annotations: env.Annotations, Created: env.CreationTimestamp.Time,
		File: file, Line: d.lineOf("metadata"), Hash: hash(doc.Text), Lines: lines{text: doc.Text, offset: doc.Line - 1},
	}}
}

// notOurs tells a misspelled kind or group, which may well be an object that was
// there before, from kinds that are other people's.
func (doc *Document) notOurs(d *decoder, env *envelope, knownKind bool) {
	group, _, _ := strings.Cut(env.APIVersion, "/")
	ownGroup := strings.HasPrefix(metarouterv1.GroupVersion, group+"/") || group == "networking.istio.io" && !slices.Contains(otherIstioKinds(), env.Kind)
	d.problems = nil
	if knownKind || ownGroup {
		d.problem("kind", "UnknownKind", "check apiVersion and kind", "there is no %s in %s", env.Kind, env.APIVersion)
		return
	}
	doc.Foreign = true
	d.problems = []problem{{severity: diag.Warning, line: d.lineOf("kind"), field: "kind", reason: "NotRead",
		message: fmt.Sprintf("%s of %s is not read by this version", env.Kind, env.APIVersion), next: "the object has no effect here"}}
}

// otherIstioKinds are those of networking.istio.io that are not read.
func otherIstioKinds() []string {
	return []string{"EnvoyFilter", "Gateway", "ProxyConfig", "Sidecar", "VirtualService", "WorkloadGroup"}
}

func sameGroup(versions []string, apiVersion string) bool {
	group, _, _ := strings.Cut(versions[0], "/")
	return strings.HasPrefix(apiVersion, group+"/")
}

var dnsName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// checkNames keeps names to what Kubernetes allows: they become parts of file
// names and of resource names on xDS.
func checkNames(d *decoder, env *envelope) {
	for field, name := range map[string]string{"metadata.name": env.Name, "metadata.namespace": env.Namespace} {
		if len(name) > 253 || !dnsName.MatchString(name) {
			d.problem(field, "BadName", "use lower case letters, digits, - and .", "%q is no name", name)
		}
	}
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	return hex.EncodeToString(sum[:8])
}
