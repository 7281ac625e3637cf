"""What a public forge reads: documents, forms and workflows hold their schemas and speak of what there is."""
